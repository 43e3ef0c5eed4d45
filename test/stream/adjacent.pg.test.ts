/**
 * Two commits that touch: the second's commit record begins at the very byte that the first's end is confirmed as. One
 * byte more in the confirmation, which is what pg-logical-replication makes of a position, and the server skips the
 * second transaction for ever.
 */
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Lsn, ResumeLsn } from '../../src/records.ts';
import { lsnOf, numberOf, parseLsn } from '../../src/stream/lsn.ts';
import { capture, createAuditLog, emptyMemory, until } from '../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

/** The guards that a test takes out. */
const without = vi.hoisted(() => ({ byteBefore: false, slotAhead: false }));

vi.mock('../../src/stream/lsn.ts', async (original) => {
  const real = await original<typeof import('../../src/stream/lsn.ts')>();
  return { ...real, byteBefore: (lsn: Lsn) => (without.byteBefore ? lsn : real.byteBefore(lsn)) };
});

vi.mock('../../src/stream/start.ts', async (original) => {
  const real = await original<typeof import('../../src/stream/start.ts')>();
  const checkNotAhead: typeof real.checkNotAhead = (...args) => {
    if (!without.slotAhead) real.checkNotAhead(...args);
  };
  const startOf: typeof real.startOf = (start, ...args) =>
    without.slotAhead && start.progress !== null ? start.progress : real.startOf(start, ...args);
  return { ...real, checkNotAhead, startOf };
});

let server: TestPostgres;

beforeAll(async () => {
  // Nothing but the two writers puts a record into the WAL.
  server = await startPostgres({
    settings: { autovacuum: 'off', checkpoint_timeout: '1h', bgwriter_lru_maxpages: '0' },
  });
});
afterAll(() => server?.stop());

interface Outcome {
  /** Of the rows `first`, `second` and `later`, in the order of their commits. */
  taken: string[];
  /** What the slot stood at between the two commits. */
  confirmed: string;
  endOfFirst: ResumeLsn;
}

/** Captures the first commit, confirms it and disconnects; the second commit touches it; captures the rest. */
async function captureAdjacent(): Promise<Outcome> {
  const options = await createAuditLog(await server.createDatabase(), { timings: { idleAdvanceMs: 3_600_000 } });
  const memory = emptyMemory();
  const writers = ['first', 'second'].map(() => new pg.Client({ connectionString: options.url }));
  const [one, two] = writers as [pg.Client, pg.Client];
  for (const writer of writers) await writer.connect();
  try {
    for (let attempt = 1; ; attempt++) {
      expect(attempt, 'attempts to make two commit records touch').toBeLessThan(20);
      memory.turns = [];
      await one.query("BEGIN; INSERT INTO audit_log (session_id) VALUES ('first')");
      await two.query("BEGIN; INSERT INTO audit_log (session_id) VALUES ('second')");
      const before = await capture(options, memory);
      await one.query('COMMIT');
      await until('the first row', () => memory.turns.length === 1);
      await before.stop();
      const endOfFirst = memory.progress!.resumeLsn;
      const { rows } = await two.query('SELECT pg_current_wal_insert_lsn() AS lsn');
      const confirmed = (
        await queryOn(
          options.url,
          `SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '${options.slot}'`,
        )
      )[0]!.confirmed_flush_lsn!;
      await two.query('COMMIT');
      await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('later')");
      const after = await capture(options, memory);
      await until('the last row', () => memory.turns.at(-1)?.sessionId === 'later');
      await after.stop();
      // A record of the server's own, or the head of a page, may have come in between.
      if (parseLsn(rows[0].lsn) !== endOfFirst) continue;
      return { taken: memory.turns.map((turn) => turn.sessionId), confirmed: parseLsn(confirmed), endOfFirst };
    }
  } finally {
    await Promise.all(writers.map((writer) => writer.end()));
  }
}

test('of two commits that touch, the second is delivered after the first was confirmed', async () => {
  Object.assign(without, { byteBefore: false, slotAhead: false });
  const { taken, confirmed, endOfFirst } = await captureAdjacent();
  expect(confirmed).toBe(endOfFirst);
  expect(taken).toEqual(['first', 'second', 'later']);
});

test('with the one byte that the library adds, it would be lost', async () => {
  Object.assign(without, { byteBefore: true, slotAhead: true });
  const { taken, confirmed, endOfFirst } = await captureAdjacent();
  expect(confirmed).toBe(lsnOf(numberOf(endOfFirst) + 1n));
  expect(taken).toEqual(['first', 'later']);
});

test('and the check of the slot’s position would stop the capture before that', async () => {
  Object.assign(without, { byteBefore: true, slotAhead: false });
  await expect(captureAdjacent()).rejects.toMatchObject({ code: 'slot_ahead' });
});
