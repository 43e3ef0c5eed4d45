import Database from 'better-sqlite3';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LiveParts } from '../../src/sessionizer/live-parts.ts';
import type { PartState } from '../../src/sessionizer/part.ts';
import { noSlot } from '../../src/sessionizer/session-index.ts';
import { StateLog } from '../../src/sessionizer/state-log.ts';
import { rules, start } from './log.ts';

const schema = 'CREATE TABLE states (id INTEGER PRIMARY KEY AUTOINCREMENT, entries BLOB NOT NULL)';
const slackEntries = 4096;
const sessions = 400;

function partAt(session: number, turns: number): PartState {
  const times = { firstAt: start, openedAt: start + 1, lastAt: start + turns, endMarkerAt: turns % 2 ? null : start };
  return { sessionId: String(session), part: session, turns, bytes: turns * 1000, ...times, held: turns % 3 === 0 };
}

/** What a restart reads, where the file holds these parts by id. */
function reread(db: Database.Database, ids: Map<number, string>): ReadonlyMap<string, PartState> {
  const live = new LiveParts(rules);
  const inOrder = [...ids].sort(([a], [b]) => a - b);
  const slots = new Map(inOrder.map(([id, sessionId]) => [id, live.expect(sessionId, id)]));
  new StateLog(db, live).load((id) => slots.get(id) ?? noSlot);
  return live.all();
}

test('a restart finds every part as it was last, and the log holds at most twice as many entries and some thousands', () => {
  const commit = fc.record({
    // The last hundred are seldom touched: their entries are still good when they are the oldest.
    first: fc.oneof({ weight: 30, arbitrary: fc.nat(100) }, { weight: 1, arbitrary: fc.constant(sessions - 100) }),
    count: fc.constantFrom(100, 150, 200),
    share: fc.constantFrom(0, 0, 0.1, 1),
    fails: fc.nat(7).map((n) => n === 0),
  });
  fc.assert(
    fc.property(fc.array(commit, { minLength: 80, maxLength: 120 }), (commits) => {
      const db = new Database(':memory:');
      db.exec(schema);
      const live = new LiveParts(rules);
      const log = new StateLog(db, live);
      const expected = new Map<string, PartState>();
      const idOf = new Map<string, number>();
      let lastId = 0;
      for (const [n, { first, count, share, fails }] of commits.entries()) {
        const touched = Array.from({ length: Math.min(count, sessions - first) }, (_, i) => first + i);
        const ending = touched.slice(0, touched.length * share).filter((session) => expected.has(String(session)));
        const parts = touched.filter((session) => !ending.includes(session)).map((session) => partAt(session, n + 1));
        const ids = new Map<string, number>();
        for (const { sessionId } of parts) {
          lastId += 1;
          ids.set(sessionId, idOf.get(sessionId) ?? lastId);
        }
        const slotOf = (sessionId: string) => (live.has(sessionId) ? live.placeOf(sessionId).slot : noSlot);
        const placed = parts.map((part) => {
          const { sessionId } = part;
          return { part, id: ids.get(sessionId)!, lastChunk: n, slot: slotOf(sessionId) };
        });
        const ended = ending.map((session) => slotOf(String(session)));
        db.exec('BEGIN');
        const written = log.write(placed, ended);
        db.exec(fails ? 'ROLLBACK' : 'COMMIT');
        if (fails) continue;
        for (const slot of ended) live.delete(slot);
        for (const session of ending) {
          expected.delete(String(session));
          idOf.delete(String(session));
        }
        for (const one of placed) live.set(one);
        for (const part of parts) expected.set(part.sessionId, part);
        for (const [sessionId, id] of ids) idOf.set(sessionId, id);
        log.remember(written);
      }
      expect(new Map(reread(db, new Map([...idOf].map(([sessionId, id]) => [id, sessionId]))))).toEqual(expected);
      const bytes = db.prepare('SELECT total(length(entries)) FROM states').pluck().get() as number;
      expect(bytes / 80).toBeLessThanOrEqual(2 * sessions + slackEntries + 200);
      db.close();
    }),
    { numRuns: 8 },
  );
}, 30_000);

/** Commits the parts by session, as they are now; those that end go first. */
class Log {
  readonly db = new Database(':memory:');
  readonly #live = new LiveParts(rules);
  readonly #log: StateLog;

  constructor() {
    this.db.exec(schema);
    this.#log = new StateLog(this.db, this.#live);
  }

  commit(sessions: readonly number[], turns: number, ending: readonly number[] = []): void {
    const slotOf = (session: number) =>
      this.#live.has(String(session)) ? this.#live.placeOf(String(session)).slot : noSlot;
    const placed = sessions.map((n) => ({ part: partAt(n, turns), id: n + 1, lastChunk: turns, slot: slotOf(n) }));
    const ended = ending.map(slotOf);
    const written = this.#log.write(placed, ended);
    for (const slot of ended) this.#live.delete(slot);
    for (const one of placed) this.#live.set(one);
    this.#log.remember(written);
  }

  get entries(): number {
    return (this.db.prepare('SELECT total(length(entries)) FROM states').pluck().get() as number) / 80;
  }
}

test('a part that is touched in the very commit that drops its last entry comes back as it was touched', () => {
  const [seldom, often] = [0, 1];
  for (let commits = 4 + slackEntries - 4; commits <= 4 + slackEntries + 4; commits += 1) {
    const log = new Log();
    log.commit([seldom], 1);
    for (let n = 1; n < commits; n += 1) log.commit([often], 1);
    log.commit([seldom], 2);
    const ids = new Map([seldom, often].map((session) => [session + 1, String(session)]));
    expect(reread(log.db, ids).get(String(seldom))).toEqual(partAt(seldom, 2));
    log.db.close();
  }
});

test('entries of parts that have ended are not carried on', () => {
  const log = new Log();
  const many = Array.from({ length: 12_000 }, (_, session) => session + 1);
  log.commit(many, 1);
  log.commit([], 1, many);
  for (let n = 0; n < 400; n += 1) log.commit([0], n);
  expect(log.entries).toBeLessThanOrEqual(2 + slackEntries + 200);
  log.db.close();
});
