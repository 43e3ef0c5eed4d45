import { describe, expect, test } from 'vitest';
import type { Batch, Change, Turn } from '../../src/records.ts';
import { shortPartFactor } from '../../src/sessionizer/part.ts';
import { type SessionRules, sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import { batchOf, day, hour, LogWriter, minute, rules, second, start, watermark } from './log.ts';
import { MemoryJournal } from './memory-journal.ts';

/** What became of each part: its fate and how many rows it has. */
function fatesOf(changes: (Change | Turn)[], more: Partial<SessionRules> = {}, batch: Partial<Batch> = {}) {
  const journal = new MemoryJournal();
  journal.apply(batchOf(changes, batch), { ...rules, ...more });
  return journal.parts().map((part) => `${part.fate}: ${part.rows.length}`);
}

function turnsAt(times: (number | null)[], more: { tool?: string; response?: string } = {}): Turn[] {
  const log = new LogWriter();
  return times.map((at) => log.turn({ at, ...more }));
}

describe('the idle rule', () => {
  test('a part closes when the watermark has passed its last turn by more than the idle timeout', () => {
    const turns = turnsAt([0, 1, 2]);
    expect(fatesOf([...turns, watermark(10 * minute + 2)])).toEqual(['open: 3']);
    expect(fatesOf([...turns, watermark(10 * minute + 3)])).toEqual(['sealed idle: 3']);
  });

  test('a turn that comes later than the idle timeout closes the part before it, without any watermark', () => {
    expect(fatesOf(turnsAt([0, 1, 2, 2 + 10 * minute]))).toEqual(['open: 4']);
    expect(fatesOf(turnsAt([0, 1, 2, 3 + 10 * minute]))).toEqual(['sealed idle: 3', 'open: 1']);
  });

  test('a commit time that steps back does not move the last activity back', () => {
    const turns = turnsAt([0, 5 * second, 4 * second]);
    expect(fatesOf([...turns, watermark(10 * minute + 5 * second)])).toEqual(['open: 3']);
  });

  test('a turn that comes after its watermark starts the next part instead of being lost', () => {
    const log = new LogWriter();
    const first = [0, 1, 2].map((at) => log.turn({ at }));
    expect(fatesOf([...first, watermark(20 * minute), log.turn({ at: 5 * minute })])).toEqual([
      'sealed idle: 3',
      'held: 1',
    ]);
  });

  test('one session closing leaves the others open', () => {
    const log = new LogWriter();
    const early = [0, 1, 2].map((at) => log.turn({ session: 'a', at }));
    const late = [5, 6, 7].map((m) => log.turn({ session: 'b', at: m * minute }));
    expect(fatesOf([...early, ...late, watermark(11 * minute)])).toEqual(['sealed idle: 3', 'open: 3']);
  });
});

describe('the end marker', () => {
  test('closes the part once the grace has passed, and turns within the grace still join', () => {
    const log = new LogWriter();
    const turns = [log.turn({ at: 0 }), log.turn({ at: 1 }), log.turn({ at: 2, tool: 'finish' })];
    expect(fatesOf([...turns, watermark(5 * second + 2)])).toEqual(['open: 3']);
    expect(fatesOf([...turns, watermark(5 * second + 3)])).toEqual(['sealed end_marker: 3']);
    const inGrace = log.turn({ at: 2 + 5 * second });
    const beyond = log.turn({ at: 3 + 5 * second });
    expect(fatesOf([...turns, inGrace, beyond])).toEqual(['sealed end_marker: 4', 'open: 1']);
  });

  test('a second marker within the grace does not prolong it', () => {
    const log = new LogWriter();
    const turns = [0, 1, 2].map((at) => log.turn({ at, tool: 'finish' }));
    expect(fatesOf([...turns, watermark(5 * second + 1)])).toEqual(['sealed end_marker: 3']);
  });

  test('a short part that was ended so is held, and does not end again when it has grown', () => {
    const log = new LogWriter();
    const turns = [log.turn({ at: 0, tool: 'finish' }), ...[1, 2, 3, 4].map((m) => log.turn({ at: m * minute }))];
    expect(fatesOf(turns)).toEqual(['open: 5']);
  });

  test('where there is no marker in the settings nothing ends early', () => {
    const turns = turnsAt([0, 1, 2], { tool: 'finish' });
    expect(fatesOf([...turns, watermark(minute)], { endMarker: null })).toEqual(['open: 3']);
  });
});

describe('caps', () => {
  test('a part holds maxTurns turns and closes before the next one', () => {
    expect(fatesOf(turnsAt([0, 1, 2, 3, 4, 5, 6, 7]))).toEqual(['open: 8']);
    expect(fatesOf(turnsAt([0, 1, 2, 3, 4, 5, 6, 7, 8]))).toEqual(['sealed max_turns: 8', 'open: 1']);
  });

  test('a part closes before the row that would take it over maxBytes', () => {
    const turns = turnsAt([0, 1, 2, 3], { response: 'x'.repeat(1000) });
    expect(fatesOf(turns, { maxBytes: 3500 })).toEqual(['sealed max_bytes: 3', 'open: 1']);
  });

  test('bytes are counted as UTF-8, metadata included', () => {
    const log = new LogWriter();
    const journal = new MemoryJournal();
    journal.apply(
      batchOf([log.turn({ response: null }), log.turn({ response: 'é⟦', metadata: { tz: 'UTC' } })]),
      rules,
    );
    // key, agent, tool, arguments, cost and duration; then two and three bytes, name and value
    expect(journal.known.parts.get('s')?.bytes).toBe(2 * (1 + 5 + 6 + 24 + 4 + 2) + 5 + 5);
  });

  test('a part closes before the turn that comes more than maxAge after its first', () => {
    const turns = turnsAt([0, 1, 2, hour, hour + 1]);
    expect(fatesOf(turns, { maxAge: hour, idleTimeout: 2 * hour })).toEqual(['sealed max_age: 4', 'open: 1']);
  });

  test('a part with fewer than minTurns turns is never sealed by turns or age', () => {
    expect(fatesOf(turnsAt([0, 1, 2]), { maxTurns: 1, maxAge: 0 })).toEqual(['open: 3']);
  });

  test('one large row costs its neighbours nothing: a short part runs over and is sealed once it is long enough', () => {
    const log = new LogWriter();
    const turns = [0, 1, 2, 3, 4].map((at) => log.turn({ at, response: at === 1 ? 'x'.repeat(9000) : 'x' }));
    expect(fatesOf(turns, { minTurns: 4, maxBytes: 4096 })).toEqual(['sealed max_bytes: 4', 'open: 1']);
  });

  test('a short part far beyond the bytes cap is let go and counted, and a new one begins', () => {
    const journal = new MemoryJournal();
    const turns = turnsAt([0, 1, 2], { response: 'x'.repeat(1000) });
    const step = journal.apply(batchOf(turns), { ...rules, maxBytes: 2500 / shortPartFactor });
    expect(journal.parts().map((p) => `${p.fate}: ${p.rows}`)).toEqual(['released short_at_cap: 1,2', 'open: 3']);
    expect(step.counts.released).toEqual({ short_at_cap: { parts: 1, rows: 2 } });
  });

  test('a single row above maxBytes makes a part of its own', () => {
    const log = new LogWriter();
    const small = [0, 1, 2].map((at) => log.turn({ at }));
    const big = log.turn({ at: 3, response: 'x'.repeat(9000) });
    const after = log.turn({ at: 4 });
    expect(fatesOf([...small, big, after], { minTurns: 1 })).toEqual([
      'sealed max_bytes: 3',
      'sealed max_bytes: 1',
      'open: 1',
    ]);
  });
});

describe('short parts', () => {
  test('a closed part with fewer than minTurns turns is held, and the next turns join it whatever the gap', () => {
    const log = new LogWriter();
    const two = [0, 1].map((at) => log.turn({ at }));
    expect(fatesOf([...two, watermark(hour)])).toEqual(['held: 2']);
    expect(fatesOf([...two, watermark(hour), log.turn({ at: 6 * day })])).toEqual(['open: 3']);
  });

  test('it is let go once retain has passed since its last turn, seen by the watermark or by the next turn', () => {
    const log = new LogWriter();
    const two = [0, 1].map((at) => log.turn({ at }));
    expect(fatesOf([...two, watermark(7 * day + 1)])).toEqual(['held: 2']);
    expect(fatesOf([...two, watermark(7 * day + 2)])).toEqual(['released below_min_turns: 2']);
    expect(fatesOf([...two, log.turn({ at: 7 * day + 2 })])).toEqual(['released below_min_turns: 2', 'open: 1']);
  });

  test('its age counts anew from the turn that takes it up', () => {
    const log = new LogWriter();
    const turns = [0, 1, 3 * day, 3 * day + 1, 3 * day + 2].map((at) => log.turn({ at }));
    expect(fatesOf(turns)).toEqual(['open: 5']);
  });

  test('a loop that ticks for months becomes a chain of parts of minTurns turns', () => {
    const ticks = Array.from({ length: 7 }, (_, i) => i * hour);
    expect(fatesOf(turnsAt(ticks))).toEqual(['sealed idle: 3', 'sealed idle: 3', 'open: 1']);
  });
});

describe('history', () => {
  const reading = { history: { state: 'reading' } } as const;
  const done = (at: number) => ({ history: { state: 'done', snapshotAt: start + at } }) as const;

  function historyAt(times: (number | null)[], more: { createdAt?: string | null; tool?: string } = {}): Turn[] {
    const log = new LogWriter();
    return times.map((at) => log.historyTurn({ at, ...more }));
  }

  test('gaps, watermarks and end markers close nothing while history is read', () => {
    const turns = historyAt([0, day, 2 * day], { tool: 'finish' });
    expect(fatesOf([...turns, watermark(9 * day)], { maxAge: 9 * day }, reading)).toEqual(['open: 3']);
  });

  test('a watermark neither counts nor closes while history is read, even one that was known before', () => {
    const log = new LogWriter();
    const journal = new MemoryJournal();
    journal.apply(batchOf([...[0, 1, 2].map((at) => log.historyTurn({ at })), watermark(day)], reading), rules);
    expect(journal.known.watermark).toBeNull();
    journal.known = { ...journal.known, watermark: start + day };
    journal.apply(batchOf([log.historyTurn({ at: 3 })], reading), rules);
    expect(journal.parts().map((p) => `${p.fate}: ${p.rows}`)).toEqual(['open: 1,2,3,4']);
  });

  test('caps hold in history too', () => {
    expect(fatesOf(historyAt([0, 1, 2, day + 1]), {}, reading)).toEqual(['sealed max_age: 3', 'open: 1']);
  });

  test('what was idle at the snapshot closes at once, short parts are held, the rest stays open', () => {
    const log = new LogWriter();
    const a = [0, 1, 2].map((at) => log.historyTurn({ session: 'a', at }));
    const b = [0, 1].map((at) => log.historyTurn({ session: 'b', at }));
    const c = [hour, hour + 1, hour + 2].map((at) => log.historyTurn({ session: 'c', at }));
    const fates = fatesOf([...a, ...b, ...c], {}, done(hour + 10 * minute + 2));
    expect(fates).toEqual(['sealed history: 3', 'held: 2', 'open: 3']);
  });

  test('the stream continues what was open at the snapshot, by commit time', () => {
    const log = new LogWriter();
    const journal = new MemoryJournal();
    journal.apply(
      batchOf(
        [0, 1, 2].map((at) => log.historyTurn({ at })),
        done(5 * minute),
      ),
      rules,
    );
    journal.apply(batchOf([log.turn({ at: 6 * minute }), log.turn({ at: 17 * minute })]), rules);
    expect(journal.parts().map((p) => `${p.fate}: ${p.rows}`)).toEqual(['sealed idle: 1,2,3,4', 'open: 5']);
  });

  test('a row without a usable time stands with the row before it', () => {
    const log = new LogWriter();
    const times = [pgText(0), 'infinity', null, '0044-03-15 00:00:00+00 BC', pgText(1)];
    const turns = times.map((createdAt) => log.historyTurn({ createdAt }));
    expect(fatesOf(turns, {}, done(10 * minute + 1))).toEqual(['open: 5']);
    expect(fatesOf(turns, {}, done(10 * minute + 2 * second))).toEqual(['sealed history: 5']);
  });

  test('a session whose first rows have no usable time does not age from the beginning of time', () => {
    const log = new LogWriter();
    const times = ['-infinity', null, '-infinity', pgText(0), pgText(1)];
    const turns = times.map((createdAt) => log.historyTurn({ createdAt }));
    expect(fatesOf(turns, {}, reading)).toEqual(['open: 5']);
  });

  test('an agent clock that runs ahead does not keep its part open until then', () => {
    const log = new LogWriter();
    const journal = new MemoryJournal();
    journal.apply(
      batchOf(
        [0, 1, 900 * day].map((at) => log.historyTurn({ at })),
        done(minute),
      ),
      {
        ...rules,
        maxAge: 999 * day,
      },
    );
    journal.apply(batchOf([watermark(12 * minute)]), rules);
    expect(journal.parts().map((p) => p.fate)).toEqual(['sealed idle']);
  });

  function pgText(seconds: number): string {
    return `2026-01-05 00:00:0${seconds}+00`;
  }
});

describe('what was known before', () => {
  test('rows at or before the last position taken are not taken again, and what their batch skipped is not counted again', () => {
    const log = new LogWriter();
    const journal = new MemoryJournal();
    const batch = batchOf([log.turn({ at: 0 }), log.turn({ at: 1 })], { skipped: { no_session: 2 } });
    expect(journal.apply(batch, rules).counts).toMatchObject({ rows: 2, replayed: 0, skipped: { no_session: 2 } });
    expect(journal.apply(batch, rules).counts).toMatchObject({ rows: 0, replayed: 2, skipped: {} });
    expect(journal.parts().map((p) => p.rows)).toEqual([['1', '2']]);
  });

  test('rows of one transaction are told apart by their ordinal', () => {
    const log = new LogWriter();
    const { position } = log.turn({});
    const rows = [0, 1, 2].map((ordinal) => log.turn({ position: { ...position, ordinal } }));
    const journal = new MemoryJournal();
    journal.apply(batchOf(rows.slice(0, 2)), rules);
    journal.apply(batchOf(rows), rules);
    expect(journal.known.parts.get('s')?.turns).toBe(3);
  });

  test('a batch that is not in WAL order is refused instead of being taken for known', () => {
    const [a, b] = turnsAt([0, 1]) as [Turn, Turn];
    expect(() => new MemoryJournal().apply(batchOf([b, a]), rules)).toThrow('not in WAL order');
  });

  test('what it is given is left as it was', () => {
    const log = new LogWriter();
    const journal = new MemoryJournal();
    journal.apply(batchOf([log.turn({ at: 0 })]), rules);
    const before = structuredClone([...journal.known.parts]);
    sessionize(journal.known, batchOf([log.turn({ at: 1 }), watermark(hour)]), rules);
    expect([...journal.known.parts]).toEqual(before);
  });
});

test('a batch is recalled with its highest watermark, and everything at the end of history', () => {
  expect(watermarkOf(batchOf([]))).toBeNull();
  expect(watermarkOf(batchOf([watermark(2), watermark(1)]))).toBe(start + 2);
  expect(watermarkOf(batchOf([watermark(2)], { history: { state: 'reading' } }))).toBeNull();
  expect(watermarkOf(batchOf([], { history: { state: 'done', snapshotAt: start } }))).toBe(Number.POSITIVE_INFINITY);
});
