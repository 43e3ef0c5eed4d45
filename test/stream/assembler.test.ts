import { describe, expect, test, vi } from 'vitest';
import { mapColumns } from '../../src/postgres/audit-table.ts';
import type { Batch, Progress } from '../../src/records.ts';
import { Assembler, type AssemblerOptions } from '../../src/stream/assembler.ts';
import { lsnOf, resumeAt } from '../../src/stream/lsn.ts';

const second = 1_000_000;
const columns = [{ name: 'id' }, { name: 'session_id' }];
const mapping = mapColumns(columns, { table: 't' }, 't');
const at = (n: number) => lsnOf(BigInt(n));
const progress = (n: number, partial: Progress['partial'] = null): Progress => ({
  resumeLsn: resumeAt(at(n)),
  partial,
});
const never = new AbortController().signal;

function assembler(more: Partial<AssemblerOptions> = {}): Assembler {
  return new Assembler({
    mapping,
    start: progress(100),
    slack: second,
    batchRows: 1_000,
    batchMs: 0,
    maxBufferBytes: 1_000_000,
    idleAdvanceMs: 60_000,
    ...more,
  });
}

/** A transaction of `rows` rows that commits at `finalLsn`; without its Commit where `end` is left out. */
function transaction(to: Assembler, finalLsn: number, rows: number, end?: number, first = 0): void {
  to.message({ kind: 'begin', finalLsn: at(finalLsn), committedAt: finalLsn * second });
  for (let i = 0; i < rows; i++) to.message({ kind: 'insert', row: ['s', `${finalLsn}-${first + i}`], bytes: 10 });
  if (end !== undefined) to.message({ kind: 'commit', endLsn: at(end), committedAt: finalLsn * second });
}

const keys = (batch: Batch | null) => batch!.changes.flatMap((c) => (c.kind === 'turn' ? [c.turn.rowKey] : []));

test('a row that is too large is left out and counted, and its position is passed', async () => {
  const onSkip = vi.fn();
  const a = assembler({ onSkip });
  a.message({ kind: 'begin', finalLsn: at(110), committedAt: 110 * second });
  for (const row of [['s', '1'], 'too_large', ['s', '2']] as const) {
    a.message({ kind: 'insert', row: row === 'too_large' ? row : [...row], bytes: 10 });
  }
  const batch = await a.take(never);
  expect(keys(batch)).toEqual(['1', '2']);
  expect(batch).toMatchObject({ skipped: { too_large: 1 }, progress: { partial: { lsn: at(110), ordinal: 2 } } });
  expect(onSkip.mock.calls).toEqual([['too_large', at(110)]]);
});

describe('progress', () => {
  test('is the end of the last commit, and partial within a transaction', async () => {
    const a = assembler();
    transaction(a, 110, 2, 120);
    expect((await a.take(never))!.progress).toEqual(progress(120));
    transaction(a, 130, 3);
    expect((await a.take(never))!.progress).toEqual(progress(120, { lsn: at(130), ordinal: 2 }));
  });

  test('a replay skips the rows that were taken, and a transaction that begins exactly at resumeLsn is new', async () => {
    const a = assembler({ start: progress(120, { lsn: at(120), ordinal: 1 }) });
    transaction(a, 110, 2, 115);
    transaction(a, 120, 4, 140);
    transaction(a, 140, 1, 150);
    expect(keys(await a.take(never))).toEqual(['120-2', '120-3', '140-0']);
  });

  test('a half received transaction begins again after a reconnect, without its taken rows', async () => {
    const a = assembler({ batchRows: 2 });
    transaction(a, 110, 3);
    expect(a.received).toEqual(progress(100, { lsn: at(110), ordinal: 2 }));
    a.reconnected();
    transaction(a, 110, 5, 130);
    const taken = [...keys(await a.take(never)), ...keys(await a.take(never)), ...keys(await a.take(never))];
    expect(taken).toEqual(['110-0', '110-1', '110-2', '110-3', '110-4']);
  });

  test('rows that are not carried on count as row messages', async () => {
    const a = assembler();
    a.message({ kind: 'begin', finalLsn: at(110), committedAt: second });
    a.message({ kind: 'insert', row: null, bytes: 1 });
    a.message({ kind: 'update' });
    a.message({ kind: 'other' });
    a.message({ kind: 'insert', row: ['s', 'k'], bytes: 1 });
    const batch = await a.take(never);
    expect(batch!.skipped).toEqual({ other_table: 2 });
    expect(batch!.changes[0]).toMatchObject({ turn: { position: { lsn: at(110), ordinal: 2 } } });
  });

  test('a partial transaction that is not sent again is an error, not a gap', () => {
    const a = assembler({ start: progress(100, { lsn: at(110), ordinal: 0 }) });
    expect(() => transaction(a, 120, 1, 130)).toThrow(/was not sent again/);
  });
});

describe('idle positions', () => {
  test('are kept until they are due, and ride along with rows', async () => {
    const a = assembler();
    a.keepalive(at(500), false);
    a.probe({ lsn: at(400), at: 50 * second });
    const quiet = await a.take(never);
    expect(quiet).toMatchObject({
      progress: progress(100),
      changes: [{ kind: 'watermark', at: 49 * second }],
      serverAt: 50 * second,
    });
    transaction(a, 600, 1, 610);
    expect((await a.take(never))!.progress).toEqual(progress(610));
  });

  test('are handed out when due, and at once when the server waits', async () => {
    const due = assembler({ idleAdvanceMs: 0 });
    due.keepalive(at(500), false);
    expect((await due.take(never))!.progress).toEqual(progress(500));
    const urgent = assembler();
    urgent.keepalive(at(500), false);
    urgent.keepalive(at(500), true);
    expect((await urgent.take(never))!.progress).toEqual(progress(500));
  });

  test('never move past a transaction that is half received, on this connection or the one before', () => {
    const a = assembler({ idleAdvanceMs: 0 });
    transaction(a, 510, 1);
    a.keepalive(at(505), true);
    expect(a.received.resumeLsn).toBe(at(100));
    a.reconnected();
    a.keepalive(at(505), true);
    expect(a.received.resumeLsn).toBe(at(100));
  });
});

describe('batches', () => {
  test('end after so many rows or bytes', async () => {
    const byRows = assembler({ batchRows: 2, batchMs: 60_000 });
    transaction(byRows, 110, 5);
    expect([keys(await byRows.take(never)).length, keys(await byRows.take(never)).length]).toEqual([2, 2]);
    const byBytes = assembler({ maxBufferBytes: 80, batchMs: 60_000 });
    transaction(byBytes, 110, 2);
    expect(keys(await byBytes.take(never)).length).toBe(2);
    expect(byBytes.buffered).toEqual({ rows: 0, bytes: 0 });
  });

  test('rows count as buffered until they are taken, those that are not carried on too', async () => {
    const a = assembler({ batchRows: 2, batchMs: 60_000 });
    transaction(a, 110, 2, 120);
    a.message({ kind: 'begin', finalLsn: at(130), committedAt: 130 * second });
    a.message({ kind: 'insert', row: null, bytes: 10 });
    expect(a.buffered).toEqual({ rows: 3, bytes: 30 });
    await a.take(never);
    expect(a.buffered).toEqual({ rows: 1, bytes: 10 });
    a.fail(new Error('the end'));
    await a.take(never);
    expect(a.buffered).toEqual({ rows: 0, bytes: 0 });
  });

  test('a failure comes after everything that was received before it', async () => {
    const a = assembler({ batchMs: 60_000 });
    transaction(a, 110, 2);
    a.fail(new Error('broken'));
    expect(keys(await a.take(never))).toEqual(['110-0', '110-1']);
    await expect(a.take(never)).rejects.toThrow('broken');
  });

  test('a clock of this machine that is set back holds no row back', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const a = assembler({ batchMs: 20 });
      transaction(a, 110, 1, 120);
      vi.setSystemTime(Date.now() - 3_600_000);
      expect(keys(await a.take(never))).toEqual(['110-0']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('a signal ends the wait', async () => {
    const stopping = new AbortController();
    const waiting = assembler().take(stopping.signal);
    stopping.abort();
    expect(await waiting).toBeNull();
  });

  test('until: what begins at or beyond the target is left for the next time, and the last watermark is the target’s', async () => {
    const a = assembler({ until: { lsn: at(200), at: 190 * second } });
    transaction(a, 110, 1, 120);
    transaction(a, 200, 1, 210);
    const last = await a.take(never);
    expect(keys(last)).toEqual(['110-0']);
    expect(last).toMatchObject({ progress: progress(120) });
    expect(last!.changes.at(-1)).toEqual({ kind: 'watermark', at: 189 * second });
    expect(await a.take(never)).toBeNull();
  });

  test('a watermark never passes a row that is still to come of the transaction that moved it', async () => {
    const a = assembler({ batchRows: 1 });
    transaction(a, 110, 2, 120);
    const first = await a.take(never);
    const mark = first!.changes.at(-1) as { at: number };
    expect(mark.at).toBeLessThan(110 * second);
  });
});
