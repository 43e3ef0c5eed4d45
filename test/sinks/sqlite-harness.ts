/** The SQLite sink for the contract, and what a dataset holds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { tableNames } from '../../src/dataset-tables.ts';
import { createLogger } from '../../src/log.ts';
import { openSqliteSink } from '../../src/sinks/sqlite.ts';
import type { Dump, SinkHarness } from './contract.ts';

const json = ['supporting_turns', 'evidence', 'derivation', 'agents', 'metrics', 'raw_extraction'];

export async function sqliteHarness(): Promise<SinkHarness> {
  const folder = mkdtempSync(join(tmpdir(), 'sink-'));
  const log = createLogger('silent');
  let cleared = 0;
  const path = () => join(folder, `${cleared}`, 'qa_pairs.sqlite');
  return {
    open: async () => openSqliteSink({ path: path(), log }),
    dump: async () => dumpOf(path()),
    clear: async () => {
      rmSync(join(folder, `${cleared}`), { recursive: true, force: true });
      cleared += 1;
    },
    dispose: async () => rmSync(folder, { recursive: true }),
  };
}

export function dumpOf(path: string): Dump {
  const db = new Database(path, { readonly: true });
  try {
    const rows = (table: string) =>
      (db.prepare(`SELECT * FROM ${table}`).all() as Record<string, unknown>[]).map(plain);
    return Object.fromEntries([...tableNames, 'sessions'].map((table) => [table, rows(table)])) as Dump;
  } finally {
    db.close();
  }
}

function plain(row: Record<string, unknown>): Record<string, unknown> {
  const cells = Object.entries(row).map(([column, value]) => {
    if (value instanceof Uint8Array) return [column, inflateSync(value).toString()];
    return [column, json.includes(column) && typeof value === 'string' ? JSON.parse(value) : value];
  });
  return Object.fromEntries(cells) as Record<string, unknown>;
}
