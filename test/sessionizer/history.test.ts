import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Turn } from '../../src/records.ts';
import { trajectorySchema } from '../../src/records.ts';
import { groupHistory, type HistoryPart } from '../../src/sessionizer/history.ts';
import { openJournal } from '../../src/sessionizer/journal.ts';
import { sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import { batchOf, day, hour, LogWriter, minute, rules, start } from './log.ts';

async function group(turns: Turn[], snapshotAt = start + 30 * day): Promise<HistoryPart[]> {
  const parts: HistoryPart[] = [];
  for await (const part of groupHistory(turns, { source: 'test', rules, snapshotAt })) parts.push(part);
  return parts;
}

test('rows of a table give the same trajectories as capture from the beginning', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'history-'));
  let run = 0;
  const rows = fc.array(
    fc.record({
      session: fc.constantFrom('a', 'b', 'c'),
      gap: fc.constantFrom(0, 0, 1, minute, hour, day),
      size: fc.constantFrom(10, 10, 2000, 5000),
    }),
    { maxLength: 50 },
  );
  await fc.assert(
    fc.asyncProperty(rows, fc.integer({ min: 1, max: 20 }), async (list, batchSize) => {
      const log = new LogWriter();
      let at = 0;
      const turns = list.map(({ session, gap, size }) => {
        at += gap;
        return log.historyTurn({ session, at, response: 'x'.repeat(size) });
      });
      const snapshotAt = start + at + 5 * minute;
      run += 1;
      const journal = openJournal(join(dir, `${run}.sqlite`), { source: 'test', rules });
      const batches = Array.from({ length: Math.ceil(turns.length / batchSize) }, (_, i) =>
        batchOf(turns.slice(i * batchSize, (i + 1) * batchSize), { history: { state: 'reading' } }),
      );
      for (const batch of [...batches, batchOf([], { history: { state: 'done', snapshotAt } })]) {
        journal.commit(sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, rules), batch);
      }
      const captured = journal.outbox.pending(1000).map((ref) => journal.outbox.assemble(ref.trajectoryId));
      const parts = await Promise.all(
        ['a', 'b', 'c'].map((session) =>
          group(
            turns.filter((turn) => turn.sessionId === session),
            snapshotAt,
          ),
        ),
      );
      const grouped = parts.flat().filter((part) => part.standing === 'sealed');
      const byId = (x: { id: string }, y: { id: string }) => (x.id < y.id ? -1 : 1);
      expect(grouped.map((part) => part.trajectory).sort(byId)).toEqual(captured.sort(byId));
      const { open, held } = journal.totals();
      const standings = parts.flat().map((part) => part.standing);
      expect([open, held]).toEqual(['open', 'held'].map((s) => standings.filter((other) => other === s).length));
      journal.close();
    }),
    { numRuns: 30 },
  );
  rmSync(dir, { recursive: true });
}, 60_000);

test('every row comes back in some part, with what has become of it', async () => {
  const log = new LogWriter();
  const rows = [0, 1].map((at) => log.historyTurn({ at, response: 'x'.repeat(at === 0 ? 40_000 : 1000) }));
  rows.push(...[2, 3, 4].map((at) => log.historyTurn({ at, response: 'x'.repeat(900) })));
  rows.push(log.historyTurn({ at: hour, response: 'x'.repeat(500) }));
  const parts = await group(rows);
  expect(parts.map((p) => `${p.standing}: ${p.trajectory.turns.map((t) => t.rowKey)}`)).toEqual([
    'released: 1',
    'sealed: 2,3,4,5',
    'held: 6',
  ]);
  for (const { trajectory } of parts) expect(trajectorySchema.parse(trajectory)).toEqual(trajectory);
});

test('a session that was active shortly before the snapshot is still open', async () => {
  const log = new LogWriter();
  const rows = [0, 1, 2].map((at) => log.historyTurn({ at }));
  expect((await group(rows, start + 10 * minute + 2)).map((part) => part.standing)).toEqual(['open']);
  expect((await group(rows, start + 10 * minute + 3)).map((part) => part.standing)).toEqual(['sealed']);
});

test('rows without ascending positions are refused, not taken for known ones', async () => {
  const log = new LogWriter();
  const row = log.historyTurn({});
  await expect(group([row, { ...log.historyTurn({}), position: row.position }])).rejects.toThrow(
    'not in ascending order',
  );
});
