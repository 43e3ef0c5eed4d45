/** Rows of the table that come in beside the stream: backfill, recovery, repair. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Batch, Change, Micros, Progress, ResumeLsn, Turn } from '../../src/records.ts';
import type { Injection, SourceIdentity } from '../../src/sessionizer/journal-facts.ts';
import { sessionize } from '../../src/sessionizer/sessionize.ts';
import { batchOf, day, hour, LogWriter, lsn, minute, rules, second, start, watermark } from './log.ts';
import { MemoryJournal } from './memory-journal.ts';
import { TemporaryJournal } from './temporary-journal.ts';

const reading = { history: { state: 'reading' }, injected: true } as const;
const done = (at: Micros) => ({ history: { state: 'done', snapshotAt: start + at }, injected: true }) as const;
const injection: Injection = {
  id: '1',
  reason: 'backfill',
  range: { since: null, until: null },
  seenBefore: lsn(1),
};

let log: LogWriter;
let memory: MemoryJournal;

beforeEach(() => {
  log = new LogWriter();
  memory = new MemoryJournal();
});

/** Streamed rows of one session. */
function streamed(...times: Micros[]): Turn[] {
  return times.map((at) => log.turn({ at }));
}

/** The same, from the table. */
function existing(...times: Micros[]): Turn[] {
  return times.map((at) => log.historyTurn({ at }));
}

function take(changes: (Change | Turn)[], more: Partial<Batch> = {}): void {
  memory.apply(batchOf(changes, more), rules);
}

function fates(): string[] {
  return memory.parts().map(({ fate, rows }) => `${fate}: ${rows}`);
}

describe('a batch that is injected', () => {
  test('is taken in whatever its positions are, and leaves the last position and the watermark as they were', () => {
    take([...streamed(0, 1), watermark(2)]);
    const { lastPosition, watermark: at } = memory.known;
    take([...existing(0, 1), watermark(hour)], reading);
    expect(memory.known).toMatchObject({ lastPosition, watermark: at });
    expect(fates()).toEqual(['open: 1,2,3,4']);
    take(streamed(3));
    expect(fates()).toEqual(['open: 1,2,3,4,5']);
  });

  test('makes no row known that the stream has still to bring, wherever its own rows stand', () => {
    take(streamed(0));
    take([{ ...log.historyTurn({ at: 0 }), position: { lsn: lsn(9999), ordinal: 0 } }], reading);
    take(streamed(1));
    expect(fates()).toEqual(['open: 1,2,3']);
  });

  test('has positions that ascend', () => {
    const [first, second] = existing(0, 1) as [Turn, Turn];
    expect(() => sessionize(memory.known, batchOf([second, first], reading), rules)).toThrow('not in WAL order');
  });

  test('closes nothing while rows are read, however far apart they lie, but for the caps', () => {
    take([watermark(9 * day)]);
    take(existing(0, hour, 2 * hour), reading);
    expect(fates()).toEqual(['open: 1,2,3']);
    take(existing(3 * hour, 4 * hour, 5 * hour, 6 * hour, 7 * hour, 8 * hour), reading);
    expect(fates()).toEqual(['sealed max_turns: 1,2,3,4,5,6,7,8', 'open: 9']);
  });

  test('closes at its end what had been idle at the snapshot, and nothing else', () => {
    const other = [0, 1].map((at) => log.turn({ session: 'other', at: 9 * hour + at }));
    take([...other, watermark(9 * hour + 2)]);
    take(existing(0, 1, 2), reading);
    take([log.historyTurn({ session: 'short', at: 0 })], done(9 * hour + 3));
    expect(fates()).toEqual(['open: 1,2', 'sealed history: 3,4,5', 'held: 6']);
  });

  test('joins a part in progress as a row of the past: it begins earlier, and ends no sooner', () => {
    take(streamed(2 * hour, 2 * hour + 1));
    take([log.historyTurn({ at: hour, tool: 'finish' })], done(2 * hour + 2));
    expect(memory.known.parts.get('s')).toMatchObject({
      firstAt: start + hour,
      lastAt: start + 2 * hour + 1,
      endMarkerAt: null,
    });
    take([watermark(2 * hour + minute)]);
    expect(fates()).toEqual(['open: 1,2,3']);
  });

  test('that brings the end marker of the newest row ends the part', () => {
    take([...streamed(0, 1), watermark(2 * second)]);
    take([log.historyTurn({ at: second, tool: 'finish' })], done(2 * second));
    take([watermark(7 * second)]);
    expect(fates()).toEqual(['sealed end_marker: 1,2,3']);
  });

  test('with an agent clock ahead keeps no part open until then, with a stream beside it and without', () => {
    take([watermark(minute)]);
    take(existing(0, 1, 900 * day), done(minute));
    take([watermark(12 * minute)]);
    expect(fates()).toEqual(['sealed idle: 1,2,3']);
    memory = new MemoryJournal();
    take(existing(0, 1, 900 * day), done(minute));
    take([watermark(12 * minute)]);
    expect(fates()).toEqual(['sealed idle: 4,5,6']);
  });

  test('closes nothing that a stream which lags behind may still bring rows of', () => {
    take([...streamed(0, 1, 2), watermark(minute)]);
    take([], done(hour));
    expect(fates()).toEqual(['open: 1,2,3']);
  });

  test('takes no part back that the stream brought after the snapshot', () => {
    take([...streamed(0, 1, hour - second), watermark(hour)]);
    take(existing(0), done(minute));
    expect(memory.known.parts.get('s')).toMatchObject({ lastAt: start + hour - second });
  });
});

describe('the journal', () => {
  let temporary: TemporaryJournal;

  beforeEach(() => {
    temporary = new TemporaryJournal();
  });

  afterEach(() => temporary.remove());

  test('keeps an injection pending until the commit of its last batch, over restarts', () => {
    temporary.take(streamed(0));
    const { progress } = temporary.journal;
    temporary.journal.beginInjection(injection);
    temporary.journal.beginInjection(injection);
    temporary.take(existing(0), reading);
    temporary.restart();
    expect(temporary.journal.injection).toEqual(injection);
    const other = { ...injection, id: '2' };
    expect(() => temporary.journal.beginInjection(other)).toThrow(
      expect.objectContaining({ kind: 'stop', code: 'injection_pending' }),
    );
    temporary.take(streamed(1));
    temporary.take([], { history: { state: 'done', snapshotAt: start } });
    expect(temporary.journal.injection).toEqual(injection);
    temporary.take([], done(1));
    expect(temporary.journal.injection).toBeNull();
    temporary.restart();
    expect(temporary.journal.injection).toBeNull();
    temporary.journal.beginInjection(other);
    expect(temporary.journal.progress).not.toEqual(progress);
    expect(temporary.journal.knownBefore).toBe(lsn(1));
  });

  test('publishes while rows come in beside the stream, and stays where it is', () => {
    temporary.take(streamed(0));
    const { progress } = temporary.journal;
    temporary.take(existing(0, 1, 2, 3, 4, 5, 6, 7, 8), {
      ...reading,
      progress: { resumeLsn: lsn(0) as string as ResumeLsn, partial: null },
    });
    expect(temporary.journal).toMatchObject({ progress, historyState: 'none' });
    expect(temporary.journal.outbox.pending(9)).toMatchObject([{ closedBy: 'max_turns', turns: 8 }]);
    expect(temporary.journal.dropHistory()).toBe(false);
    temporary.take([], done(hour));
    expect(temporary.journal.historyState).toBe('none');
  });

  test('goes on under another slot with its positions, whatever the ones before were', () => {
    const recover: Injection = { ...injection, reason: 'recover', seenBefore: lsn(3) };
    const identity: SourceIdentity = { system_identifier: '7', timeline: '2', slot: 'new', publication: 'tc' };
    const before = streamed(0, 1);
    temporary.take([...before, watermark(hour)]);
    const progress: Progress = { resumeLsn: lsn(4) as string as ResumeLsn, partial: null };
    const stale = sessionize(temporary.journal.recall([], null), batchOf([]), rules);
    temporary.journal.adopt(identity, progress, recover);
    expect(() => temporary.journal.commit(stale, batchOf([]))).toThrow(
      expect.objectContaining({ code: 'journal_stale_step' }),
    );
    for (const again of [false, true]) {
      if (again) temporary.restart();
      expect(temporary.journal).toMatchObject({
        identity,
        progress,
        watermark: null,
        injection: recover,
        knownBefore: lsn(3),
      });
    }
    const lower = log.turn({ at: 2, position: { lsn: lsn(5), ordinal: 0 } });
    expect(temporary.journal.ledger.knows([...before, lower])).toEqual([true, true, false]);
    temporary.take([lower]);
    expect(temporary.journal.totals()).toMatchObject({ rows: 3, replayed: 0 });
    expect(temporary.journal.resumeLsn).toBe(lsn(5));
    temporary.take([lower]);
    expect(temporary.journal.totals()).toMatchObject({ rows: 3, replayed: 1 });
  });
});

/** What happens next: rows of the log are streamed or missed, all that are there are injected, the process dies. */
type Action =
  | { kind: 'stream' | 'miss'; rows: number; quiet: Micros }
  | { kind: 'inject'; rowsAtOnce: number; diesAfter: number };

test('rows that come in by stream, by injection or by both, with crashes in between, are each in one part', () => {
  const action: fc.Arbitrary<Action> = fc.oneof(
    fc.record({
      kind: fc.constantFrom('stream', 'stream', 'miss'),
      rows: fc.integer({ min: 1, max: 6 }),
      quiet: fc.constantFrom(0, 0, minute, hour, 8 * day),
    }),
    fc.record({
      kind: fc.constant('inject' as const),
      rowsAtOnce: fc.integer({ min: 1, max: 7 }),
      diesAfter: fc.nat(6),
    }),
  );
  const rows = fc.array(
    fc.record({
      gap: fc.constantFrom(0, 1, minute, hour),
      session: fc.constantFrom('a', 'b', 'c'),
      size: fc.constantFrom(10, 2000),
    }),
    { maxLength: 60 },
  );
  fc.assert(
    fc.property(rows, fc.array(action, { maxLength: 15 }), (list, actions) => {
      const run = new Run(list);
      try {
        for (const next of [...actions, { kind: 'inject', rowsAtOnce: 5, diesAfter: 99 } as const]) run.act(next);
        run.verify();
      } finally {
        run.remove();
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);

class Run {
  readonly #temporary = new TemporaryJournal();
  readonly #coming: Turn[] = [];
  /** In the table. */
  readonly #there: Turn[] = [];
  #at = 0;

  constructor(list: { gap: Micros; session: string; size: number }[]) {
    const writer = new LogWriter();
    let at = 0;
    for (const { gap, session, size } of list) {
      at += gap;
      this.#coming.push(writer.turn({ session, at, response: 'x'.repeat(size) }));
    }
  }

  act(action: Action): void {
    if (action.kind === 'inject') this.#inject(action.rowsAtOnce, action.diesAfter);
    else this.#go(action.rows, action.quiet, action.kind === 'stream');
  }

  #go(count: number, quiet: Micros, streamed: boolean): void {
    const rows = this.#coming.splice(0, count);
    this.#there.push(...rows);
    const last = rows.at(-1)?.committedAt;
    this.#at = Math.max(this.#at, last == null ? 0 : last - start) + quiet;
    this.#temporary.take([...(streamed ? rows : []), watermark(this.#at)]);
  }

  #inject(rowsAtOnce: number, diesAfter: number): void {
    const { journal } = this.#temporary;
    if (journal.injection === null) journal.beginInjection(injection);
    const rows = this.#there.map((turn, i) => ({ ...turn, committedAt: null, position: { lsn: lsn(1), ordinal: i } }));
    for (let n = 0; n * rowsAtOnce < rows.length; n += 1) {
      if (n === diesAfter) {
        this.#temporary.restart();
        return;
      }
      const some = rows.slice(n * rowsAtOnce, (n + 1) * rowsAtOnce);
      const known = journal.ledger.knows(some);
      this.#temporary.take(
        some.filter((_, i) => !known[i]),
        reading,
      );
    }
    this.#temporary.take([], done(this.#at));
    expect(journal.injection).toBeNull();
  }

  /** Every row of the table is in the text of one part that is not let go yet, or was let go with one. */
  verify(): void {
    const { journal } = this.#temporary;
    const rows = this.#there.length;
    expect(journal.totals()).toMatchObject({ rows, ledgerRows: rows });
    this.#temporary.take([watermark(this.#at + 30 * day)]);
    const trajectories = journal.outbox.pending(1000).map(({ trajectoryId }) => journal.outbox.assemble(trajectoryId));
    const found = trajectories.flatMap(({ turns }) => turns.map(({ rowKey }) => rowKey));
    const released = Object.values(journal.totals().releasedRows).reduce((sum, n) => sum + n, 0);
    expect(new Set(found).size).toBe(found.length);
    expect(found.length + released).toBe(rows);
    const { open, held } = journal.totals();
    expect([open, held]).toEqual([0, 0]);
  }

  remove(): void {
    this.#temporary.remove();
  }
}
