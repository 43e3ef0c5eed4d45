/** A dataset in a temporary folder, written by the sink. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataset } from '../../src/dataset/open.ts';
import { createLogger } from '../../src/log.ts';
import type { Compiled, CompiledTurns } from '../../src/records.ts';
import { openSqliteSink } from '../../src/sinks/sqlite.ts';
import type { SqliteDatabase } from '../../src/sqlite.ts';

export async function withDataset<R>(
  messages: (Compiled | CompiledTurns)[],
  use: (db: SqliteDatabase) => R | Promise<R>,
): Promise<R> {
  const folder = mkdtempSync(join(tmpdir(), 'dataset-'));
  try {
    const path = join(folder, 'qa_pairs.sqlite');
    const sink = openSqliteSink({ path, log: createLogger('silent') });
    for (const message of messages) await sink.write(message, new AbortController().signal);
    await sink.close();
    const db = openDataset(path);
    try {
      return await use(db);
    } finally {
      db.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
