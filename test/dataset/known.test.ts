import { describe, expect, it } from 'vitest';
import { compiledAmong, knownSessions, rowsAmong } from '../../src/dataset/known.ts';
import { compiledOf, rulesVersion, segmentOf, trajectoryOf } from '../support/records.ts';
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
});
