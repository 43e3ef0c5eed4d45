import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Change, Turn } from '../../src/records.ts';
import { type Journal, openJournal } from '../../src/sessionizer/journal.ts';
import type { TrajectoryRef } from '../../src/sessionizer/outbox.ts';
import { type SessionRules, sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import { batchOf, hour, LogWriter, rules, watermark } from './log.ts';

const mebibyte = 1024 * 1024;
const sessions = 300;
const wide: SessionRules = { ...rules, minTurns: 1, maxTurns: 10_000, maxBytes: 16 * mebibyte };

let dir: string;
let journal: Journal;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'space-'));
  journal = openJournal(join(dir, 'journal.sqlite'), { source: 'test', rules: wide });
});

afterEach(() => {
  journal.close();
  rmSync(dir, { recursive: true });
});

function take(changes: (Change | Turn)[]): void {
  const batch = batchOf(changes, changes.some((c) => !('kind' in c)) ? {} : { progress: journal.progress! });
  journal.commit(sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, wide), batch);
}

/** Rows of many sessions by turns, so that every page holds rows of several; then all of them sealed and published. */
function fill(bytes: number, rowBytes: number): TrajectoryRef[] {
  const log = new LogWriter();
  const response = 'x'.repeat(rowBytes);
  for (let taken = 0; taken < bytes; taken += sessions * rowBytes) {
    take(Array.from({ length: sessions }, (_, n) => log.turn({ session: String(n), response })));
  }
  take([watermark(hour)]);
  const refs = journal.outbox.pending(sessions);
  journal.outbox.published(refs.map((ref) => ref.trajectoryId));
  return refs;
}

/** Forgets all but every n-th session, and goes on with idle commits. Returns the bytes of text that are left. */
function forgetAllBut(ids: TrajectoryRef[], every: number): number {
  const kept = ids.filter((ref) => Number(ref.sessionId) % every === 0);
  journal.outbox.forget(ids.filter((ref) => !kept.includes(ref)).map((ref) => ref.trajectoryId));
  for (let i = 0; i < 400; i += 1) take([watermark(hour + i)]);
  return kept.reduce((sum, ref) => sum + ref.bytes, 0);
}

function fileBytes(): number {
  const wal = statSync(join(dir, 'journal.sqlite-wal'), { throwIfNoEntry: false })?.size ?? 0;
  return statSync(join(dir, 'journal.sqlite')).size + wal;
}

test.each([
  // Freed pages go back to the file system; pages that are left a third full are packed anew.
  { name: 'most is forgotten', rowBytes: 1000, written: 110 * mebibyte, every: 10 },
  { name: 'every other row of each page is forgotten', rowBytes: 5600, written: 180 * mebibyte, every: 2 },
])(
  'the file stays within twice what it holds plus 64 MiB when $name',
  ({ rowBytes, written, every }) => {
    const refs = fill(written, rowBytes);
    const live = forgetAllBut(refs, every);
    expect(fileBytes()).toBeLessThanOrEqual(2 * live + 64 * mebibyte);
    const kept = refs.find((ref) => Number(ref.sessionId) === every)!;
    const { turns } = journal.outbox.assemble(kept.trajectoryId);
    const keys = turns.map((turn) => Number(turn.rowKey));
    expect(keys).toEqual(keys.map((_, i) => 1 + every + i * sessions));
  },
  120_000,
);

test('the file stays within it where a history that broke off is forgotten', () => {
  const log = new LogWriter();
  const rows = (count: number) =>
    Array.from({ length: count }, (_, n) => log.historyTurn({ session: String(n % 8), response: 'x'.repeat(100_000) }));
  const reading = { history: { state: 'reading' } } as const;
  const read = (turns: Turn[]) => {
    const batch = batchOf(turns, reading);
    journal.commit(sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, wide), batch);
  };
  for (let i = 0; i < 10; i += 1) read(rows(120));
  journal.dropHistory();
  for (let i = 0; i < 200; i += 1) read(rows(1));
  expect(fileBytes()).toBeLessThanOrEqual(2 * 200 * 100_000 + 64 * mebibyte);
});
