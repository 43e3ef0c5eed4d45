import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openJournal } from '../../src/sessionizer/journal.ts';
import { lockDataDir } from '../../src/sessionizer/lock.ts';
import { batchOf, LogWriter, rules } from './log.ts';
import { MemoryJournal } from './memory-journal.ts';

let dir: string;
let child: ChildProcess | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'crash-'));
});

afterEach(() => {
  child?.kill('SIGKILL');
  child = undefined;
  rmSync(dir, { recursive: true });
});

const script = new URL('./capture-child.ts', import.meta.url).pathname;

/** Lines of a capture process that works in `dir`. With `limitKiB` no file may grow beyond that. */
async function* capture(batches: number, limitKiB?: number): AsyncGenerator<string> {
  const node = [process.execPath, '--import', 'tsx', script, dir, String(batches)];
  const command =
    limitKiB === undefined ? node : ['bash', '-c', `trap '' XFSZ; ulimit -f ${limitKiB}; exec "$@"`, '-', ...node];
  child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  let rest = '';
  for await (const data of child.stdout!) {
    const lines = (rest + String(data)).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
}

async function kill(): Promise<void> {
  const gone = new Promise((resolve) => child!.once('exit', resolve));
  child!.kill('SIGKILL');
  await gone;
}

describe('after SIGKILL between or within commits', () => {
  test('the journal holds the committed batches whole, and goes on where they end', async () => {
    let said = 0;
    for await (const line of capture(100_000)) {
      said = Number(line);
      if (said >= 120) await kill();
    }
    const journal = openJournal(join(dir, 'journal.sqlite'), { source: 'test', rules });
    try {
      const { rows } = journal.totals();
      // A batch may have been committed and not yet spoken of; half a batch never.
      expect(rows).toBeGreaterThanOrEqual(said);
      expect(rows % 3).toBe(0);
      expect(journal.totals().ledgerRows).toBe(rows);
      expect(journal.ledger.buckets().reduce((sum: number, hour) => sum + journal.ledger.entries(hour).size, 0)).toBe(
        rows,
      );
      const expected = new MemoryJournal();
      const log = new LogWriter();
      for (let n = 0; n < rows / 3; n += 1) {
        const turns = ['a', 'b', 'c'].map((session, i) =>
          log.turn({ session, at: n * 3 + i, response: 'x'.repeat(200) }),
        );
        expected.apply(batchOf(turns), rules);
      }
      const ids = journal.outbox.pending(rows).map((ref) => ref.trajectoryId);
      expect([...ids].sort()).toEqual(expected.ended.map((part) => part.id).sort());
      expect(journal.recall(['a', 'b', 'c'], null).parts).toEqual(expected.known.parts);
      expect(journal.progress).toEqual(expected.known.progress);
      for (const id of ids) expect(journal.outbox.assemble(id).turns).toHaveLength(8);
    } finally {
      journal.close();
    }
  }, 30_000);

  test('the data directory is free again at once', async () => {
    for await (const line of capture(1)) if (line === 'waiting') await kill();
    expect(() => lockDataDir(dir).release()).not.toThrow();
  }, 30_000);
});

test('a second capture on a data directory is refused and told which, while the first goes on', async () => {
  for await (const line of capture(1)) {
    if (line !== 'waiting') continue;
    expect(() => lockDataDir(dir)).toThrow(expect.objectContaining({ kind: 'stop', code: 'data_dir_locked' }));
    expect(() => lockDataDir(dir)).toThrow(dir);
    await kill();
  }
  const lock = lockDataDir(dir);
  expect(() => lockDataDir(dir)).toThrow(expect.objectContaining({ code: 'data_dir_locked' }));
  lock.release();
}, 30_000);

test('a full disk stops capture with a clear error, and what was committed before is there', async () => {
  const lines: string[] = [];
  for await (const line of capture(100_000, 2048)) lines.push(line);
  expect(lines.at(-1)).toBe('error disk_full');
  const journal = openJournal(join(dir, 'journal.sqlite'), { source: 'test', rules });
  expect(journal.totals().rows).toBe(Number(lines.at(-2)));
  journal.close();
}, 30_000);
