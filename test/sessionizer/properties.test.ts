/** Promises P1 and P3 on generated logs: which batches, watermarks and crashes there were changes nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Change, Micros, Turn } from '../../src/records.ts';
import { openJournal } from '../../src/sessionizer/journal.ts';
import { type SessionRules, sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import { batchOf, day, LogWriter, minute, second, start, watermark } from './log.ts';
import { MemoryJournal } from './memory-journal.ts';

const rules: SessionRules = {
  idleTimeout: 10 * minute,
  endMarker: (turn) => turn.tool === 'finish',
  endGrace: 5 * second,
  maxTurns: 6,
  maxBytes: 1500,
  maxAge: 40 * minute,
  minTurns: 3,
  retain: 60 * minute,
};
/** Commit times may step back by this much in WAL order. */
const slack = 800;

/** Gaps on, just beside and far from every boundary of the rules. */
const gap = fc.oneof(
  fc.constantFrom(0, 0, 1, second, 5 * second, 5 * second + 1, minute, 9 * minute),
  fc.constantFrom(...[rules.idleTimeout, rules.retain, rules.maxAge].flatMap((at) => [at - 1, at, at + 1])),
  fc.integer({ min: 0, max: 70 * minute }),
);

interface Row {
  gap: Micros;
  back: Micros;
  session: string;
  ends: boolean;
  size: number;
}

const row: fc.Arbitrary<Row> = fc.record({
  gap,
  back: fc.integer({ min: 0, max: slack }),
  session: fc.constantFrom('a', 'b', 'c'),
  ends: fc.nat(9).map((n) => n === 0),
  size: fc.constantFrom(10, 10, 200, 700, 1600),
});

/** A log in WAL order. Times step back now and then, by less than the slack. */
function logOf(rows: Row[]): Turn[] {
  const writer = new LogWriter();
  let now = slack;
  return rows.map(({ gap, back, session, ends, size }) => {
    now += gap;
    return writer.turn({ session, at: now - back, tool: ends ? 'finish' : 'search', response: 'x'.repeat(size) });
  });
}

/** The log with watermarks between its rows, each of them true: no later row was committed before it. */
function withWatermarks(turns: Turn[], places: { after: number; share: number }[]): Change[] {
  const changes = turns.map((turn): Change[] => [{ kind: 'turn', turn }]);
  for (const { after, share } of places) {
    const i = after % Math.max(turns.length, 1);
    const earliest = Math.min(...turns.slice(i + 1).map((turn) => turn.committedAt!), lastOf(turns) + 1);
    changes[i]?.push({ kind: 'watermark', at: start + Math.floor((earliest - start) * share) });
  }
  return changes.flat();
}

function lastOf(turns: Turn[]): Micros {
  return Math.max(start, ...turns.map((turn) => turn.committedAt!));
}

function cut(changes: Change[], cuts: number[]): Change[][] {
  const ends = [...new Set(cuts.map((n) => n % (changes.length + 1)))].sort((a, b) => a - b);
  return [...ends, changes.length].map((end, i) => changes.slice(ends[i - 1] ?? 0, end));
}

const log = fc.array(row, { maxLength: 60, size: 'max' }).map(logOf);
const places = fc.array(fc.record({ after: fc.nat(60), share: fc.constantFrom(0.5, 0.99, 1, 1, 1) }), {
  maxLength: 60,
  size: 'max',
});
const cuts = fc.array(fc.nat(120), { maxLength: 20, size: 'max' });

/** Groups a log and closes all that a watermark far behind it closes, nothing that waits for `retain`. */
function group(batches: Change[][], turns: Turn[]): MemoryJournal {
  const journal = new MemoryJournal();
  for (const changes of batches) journal.apply(batchOf(changes), rules);
  journal.apply(batchOf([watermark(lastOf(turns) - start + 30 * minute)]), rules);
  return journal;
}

describe('whatever the batches and the watermarks', () => {
  test('the parts, their rows, their fates and their ids are the same', () => {
    fc.assert(
      fc.property(log, places, cuts, (turns, where, at) => {
        const plain = group([turns.map((turn) => ({ kind: 'turn', turn }))], turns);
        const other = group(cut(withWatermarks(turns, where), at), turns);
        expect(other.parts()).toEqual(plain.parts());
      }),
      { numRuns: 400 },
    );
  });

  test('every row is in exactly one part, and the parts of a session follow one another in order', () => {
    fc.assert(
      fc.property(log, places, cuts, (turns, where, at) => {
        const parts = group(cut(withWatermarks(turns, where), at), turns).parts();
        for (const session of ['a', 'b', 'c']) {
          const rows = parts.filter((part) => part.part.startsWith(`${session}/`)).flatMap((part) => part.rows);
          expect(rows).toEqual(turns.filter((t) => t.sessionId === session).map((t) => t.rowKey));
        }
      }),
    );
  });

  test('each part keeps the rules: gaps, grace, caps and minTurns', () => {
    fc.assert(
      fc.property(log, (turns) => {
        const byKey = new Map(turns.map((turn) => [turn.rowKey, turn]));
        for (const { fate, rows } of group([turns.map((turn) => ({ kind: 'turn', turn }))], turns).parts()) {
          if (fate.startsWith('sealed')) expect(rows.length).toBeGreaterThanOrEqual(rules.minTurns);
          else expect(rows.length).toBeLessThan(rules.minTurns);
          expect(rows.length).toBeLessThanOrEqual(rules.maxTurns);
          // Where a gap lies beyond the idle timeout, what stands before it was too short to be sealed.
          const times = rows.map((key) => byKey.get(key)!.committedAt!);
          const breaks = times.findLastIndex(
            (at, i) => i > 0 && at - Math.max(...times.slice(0, i)) > rules.idleTimeout,
          );
          expect(breaks).toBeLessThan(rules.minTurns);
        }
      }),
    );
  });
});

test('a crash before, between or after commits, and a replay from the position, give the same trajectories', () => {
  const dir = mkdtempSync(join(tmpdir(), 'replay-'));
  let run = 0;
  try {
    fc.assert(
      fc.property(
        log,
        places,
        cuts,
        fc.array(fc.constantFrom('fine', 'lost', 'unheard'), { maxLength: 20 }),
        (turns, where, at, fates) => {
          run += 1;
          const path = join(dir, `${run}.sqlite`);
          const batches = cut(withWatermarks(turns, where), at);
          let journal = openJournal(path, { source: 'test', rules });
          const take = (changes: Change[], fate: string) => {
            const batch = batchOf(
              changes,
              changes.some((c) => c.kind === 'turn') ? {} : { progress: journal.progress ?? batchOf([]).progress },
            );
            const step = sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, rules);
            if (fate !== 'lost') journal.commit(step, batch);
            if (fate === 'fine') return;
            journal.close();
            journal = openJournal(path, { source: 'test', rules });
          };
          batches.forEach((changes, i) => {
            const fate = fates[i] ?? 'fine';
            take(changes, fate);
            // What was lost, what was stored but not confirmed, and what stood before it come again in another batch.
            if (fate !== 'fine') take([...(batches[i - 1] ?? []), ...changes], 'fine');
          });
          take([watermark(lastOf(turns) - start + 30 * minute)], 'fine');
          const expected = group([turns.map((turn) => ({ kind: 'turn', turn }))], turns).ended.flatMap(
            (part) => part.id ?? [],
          );
          const ids = journal.outbox.pending(1000).map((ref) => ref.trajectoryId);
          for (const id of ids) expect(journal.outbox.assemble(id).id).toBe(id);
          expect([...ids].sort()).toEqual([...expected].sort());
          expect(journal.totals().rows).toBe(turns.length);
          journal.close();
        },
      ),
      { numRuns: 40 },
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
}, 60_000);

test('a part waits for the session as long as retain says, wherever the watermarks are', () => {
  const journal = new MemoryJournal();
  const writer = new LogWriter();
  journal.apply(batchOf([writer.turn({ at: 0 }), watermark(rules.retain)]), rules);
  expect(journal.parts().map((part) => part.fate)).toEqual(['held']);
  journal.apply(batchOf([watermark(day)]), rules);
  expect(journal.parts().map((part) => part.fate)).toEqual(['released below_min_turns']);
});
