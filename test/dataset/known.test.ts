import { describe, expect, it } from 'vitest';
import { arrivingAmong, compiledAmong, knownSessions, rowsAmong, storedTrajectory } from '../../src/dataset/known.ts';
import { apartOf, compiledOf, rulesVersion, segmentOf, trajectoryOf, turnOf } from '../support/records.ts';
import { withDataset } from './dataset.ts';

const trajectory = trajectoryOf();
const failed = trajectoryOf({ sessionId: 'session-2' });
const messages = [
  compiledOf({ trajectory }),
  compiledOf({ trajectory: failed, segments: [segmentOf(failed, { outcome: 'failed' })] }),
];
const { source } = trajectory;

describe('what is known to the dataset', () => {
  it('names the trajectories that a compiler has been over, those that failed excepted', () =>
    withDataset(messages, (db) => {
      const ids = [trajectory.id, failed.id, 'no such id'];
      expect([...compiledAmong(db, ids, rulesVersion)]).toEqual([trajectory.id]);
      expect([...compiledAmong(db, ids, { ...rulesVersion, tier: 'cheap' })]).toEqual([trajectory.id]);
      expect([...compiledAmong(db, ids, { ...rulesVersion, promptVersion: 'rules/2' })]).toEqual([]);
    }));

  it('does not forget a completed compile for a later failure', () => {
    const later = compiledOf({
      trajectory,
      segments: [segmentOf(trajectory, { outcome: 'failed' })],
      compiledAt: '2026-03-09T00:00:00Z',
    });
    return withDataset([...messages, later], (db) => {
      expect([...compiledAmong(db, [trajectory.id], rulesVersion)]).toEqual([trajectory.id]);
    });
  });

  it('tells the sessions of a source, with what compiled them', () =>
    withDataset(messages, (db) => {
      expect(knownSessions(db, source)).toEqual(
        new Map([
          ['session-1', { trajectories: 1, turns: 12, compilers: ['rules rules rules/1 off'] }],
          ['session-2', { trajectories: 1, turns: 12, compilers: [] }],
        ]),
      );
      expect(knownSessions(db, 'another/db/table')).toEqual(new Map());
    }));

  it('tells which rows are in it, by source', () =>
    withDataset(messages, (db) => {
      expect([...rowsAmong(db, ['session-1:3', 'session-1:99'], source)]).toEqual(['session-1:3']);
      expect([...rowsAmong(db, ['session-1:3'], 'another/db/table')]).toEqual([]);
    }));

  it.each([
    ['short', 12, 'small'],
    ['long, with large rows,', 250, 'large '.repeat(9_000)],
  ])('gives a %s trajectory back as it came, however its turns came', async (_, count, note) => {
    const turns = Array.from({ length: count }, (_, n) =>
      turnOf('session-1', n, n % 9 === 0 ? { response: note } : {}),
    );
    const stored = trajectoryOf({ turns });
    for (const sent of [[compiledOf({ trajectory: stored })], apartOf(compiledOf({ trajectory: stored }), 5)]) {
      await withDataset(sent, (db) => {
        expect(storedTrajectory(db, stored.id)).toEqual(stored);
        expect(arrivingAmong(db, [stored.id])).toEqual(new Set());
      });
    }
  });

  it('counts a trajectory as not there yet while some of its turns are still to arrive, all its rows alike', () => {
    const [first, , third, head] = apartOf(compiledOf({ trajectory }), 5);
    return withDataset([first!, third!, head!, compiledOf({ trajectory: failed })], (db) => {
      expect([...arrivingAmong(db, [trajectory.id, failed.id])]).toEqual([trajectory.id]);
      expect([...rowsAmong(db, ['session-1:3', 'session-1:7', 'session-2:3'], source)]).toEqual(['session-2:3']);
      expect(() => storedTrajectory(db, trajectory.id)).toThrow(
        expect.objectContaining({ kind: 'park', code: 'trajectory_arriving' }),
      );
      expect(() => storedTrajectory(db, trajectory.id)).toThrow('7 of 12 turns');
    });
  });

  it('knows nothing of turns whose trajectory has not come', () =>
    withDataset(apartOf(compiledOf({ trajectory }), 5).slice(0, -1), (db) => {
      expect(rowsAmong(db, ['session-1:3'], source)).toEqual(new Set());
      expect(() => storedTrajectory(db, trajectory.id)).toThrow(
        expect.objectContaining({ code: 'trajectory_unknown' }),
      );
    }));
});
