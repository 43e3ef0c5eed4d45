import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { renderStats } from '../../src/dataset/render-stats.ts';
import { datasetStats, datasetTotals } from '../../src/dataset/stats.ts';
import { terminalOf } from '../../src/dataset/terminal.ts';
import { callOf, compiledOf, pairOf, rejectionOf, rulesVersion, segmentOf, trajectoryOf } from '../support/records.ts';
import { withDataset } from './dataset.ts';

const trajectory = trajectoryOf();
const segment = segmentOf(trajectory);
const flat = segmentOf(trajectory, { outcome: 'no_structure', reason: 'flat' }, 1);
const plain = terminalOf({ columns: 100 }, undefined);

const worked = compiledOf({
  trajectory,
  segments: [segment, flat],
  pairs: [
    pairOf(trajectory, segment, { question: 'one?' }),
    pairOf(trajectory, segment, { question: 'two?', qaType: 'factoid', verification: { status: 'held', reason: 'x' } }),
  ],
  rejected: [rejectionOf(segment), rejectionOf(segment, { reason: 'adjacent_support' })],
  calls: [
    callOf(segment, { costUsd: 0.02 }),
    callOf(segment, { costUsd: 0.01, startedAt: '2026-03-03T00:00:00Z', stage: 'verify' }),
    callOf(segment, { costUsd: null, outcome: 'timeout', model: null, promptTokens: null }),
  ],
});
const other = trajectoryOf({ sessionId: 'session-2', agents: ['drafting'] });

describe('the numbers of a dataset', () => {
  it('count what is in force, by type, verification, outcome and reason', () =>
    withDataset([worked, compiledOf({ trajectory: other })], (db) => {
      expect(datasetStats(db)).toMatchObject({
        pairs: 3,
        rejected: 2,
        sessions: 2,
        agents: ['drafting', 'inbox-triage'],
        trajectories: 2,
        trajectoriesWithPairs: 2,
        turns: 24,
        pairsByType: { temporal: 2, factoid: 1 },
        pairsByVerification: { proved: 2, held: 1 },
        pairsByStatus: { active: 3 },
        rejectionsByReason: { adjacent_support: 1, single_turn: 1 },
        segments: [
          { outcome: 'compiled', reason: null, segments: 2 },
          { outcome: 'no_structure', reason: 'flat', segments: 1 },
        ],
      });
    }));

  it('count superseded pairs by status alone', () => {
    const newer = { ...rulesVersion, promptVersion: 'rules/2' };
    const again = compiledOf({ trajectory, segments: [segment], compiler: newer, compiledAt: '2026-03-05T00:00:00Z' });
    return withDataset([worked, again], (db) => {
      const stats = datasetStats(db);
      expect(stats).toMatchObject({ pairs: 1, rejected: 0, pairsByStatus: { superseded: 2, active: 1 } });
      expect(stats.pairsByType).toEqual({ temporal: 1 });
    });
  });

  it('count duplicates apart from the pairs in view', () =>
    withDataset([worked, compiledOf({ trajectory: other })], (db) => {
      const writer = new Database(db.name);
      writer.exec("UPDATE qa_pairs SET duplicate_of = 'another' WHERE qa_type = 'factoid'");
      writer.close();
      const stats = datasetStats(db);
      expect(stats).toMatchObject({
        pairs: 2,
        duplicates: 1,
        pairsByType: { temporal: 2 },
        pairsByStatus: { active: 3 },
      });
      expect(datasetTotals(db).pairs).toBe(2);
      expect(renderStats(stats, plain)).toMatch(/pairs +2 +and 1 that ask the same of other things/);
    }));

  it('keep unknown cost apart from known, in all, by model and by day', () =>
    withDataset([worked], (db) => {
      const stats = datasetStats(db);
      expect(stats.costUsd).toBeCloseTo(0.03, 10);
      expect(stats.costPerPairUsd).toBeCloseTo(0.015, 10);
      expect(stats.unknownCosts).toBe(1);
      expect(stats.days).toEqual([
        { day: '2026-03-02', pairs: 2, calls: 2, costUsd: 0.02, unknownCosts: 1 },
        { day: '2026-03-03', pairs: 0, calls: 1, costUsd: 0.01, unknownCosts: 0 },
      ]);
      expect(stats.models).toMatchObject([
        { stage: 'compile', calls: 2, failed: 1, costUsd: 0.02, unknownCostCalls: 1, promptTokens: 4_000 },
        { stage: 'verify', calls: 1, failed: 0, costUsd: 0.01, unknownCostCalls: 0 },
      ]);
    }));

  it('are null for a cost that is wholly unknown, and 0 where nothing was called', async () => {
    const unknown = compiledOf({ trajectory, segments: [segment], calls: [callOf(segment, { costUsd: null })] });
    await withDataset([unknown], (db) => {
      expect(datasetStats(db)).toMatchObject({ costUsd: null, costPerPairUsd: null, unknownCosts: 1 });
      expect(datasetStats(db).days[0]).toMatchObject({ costUsd: null });
      expect(renderStats(datasetStats(db), plain)).toMatch(/cost +unknown/);
    });
    await withDataset([compiledOf()], (db) => {
      expect(datasetTotals(db)).toEqual({ pairs: 1, rejected: 0, costUsd: 0, unknownCosts: 0 });
      expect(renderStats(datasetStats(db), plain)).toMatch(/cost +\$0$/m);
    });
  });

  it('are shown as tables, a partly known cost as a lower bound', () =>
    withDataset([worked], (db) => {
      const text = renderStats(datasetStats(db), plain);
      expect(text).toMatch(/^Dataset\n pairs +2$/m);
      expect(text).toMatch(/cost +≥ \$0\.0300 +1 of unknown cost left out/);
      expect(text).toMatch(/no_structure +flat +1 +50\.0 %/);
      expect(text).toMatch(/2026-03-02 +2 +2 +≥ \$0\.0200/);
      expect(text).not.toContain('\u001b');
    }));

  it('hold what calls were expected to cost against what they did', () =>
    withDataset([worked], (db) => {
      const settled = { segments: 1, estimatedUsd: { low: 0.011, high: 0.042 }, settledUsd: 0.03 };
      const text = renderStats({ ...datasetStats(db), settled }, plain);
      expect(text).toMatch(/estimated +0\.011–0\.042 USD +for 1 segment at/);
      expect(text).toMatch(/settled +\$0\.0300/);
    }));

  it('can be shown of an empty dataset', () =>
    withDataset([], (db) => {
      expect(datasetStats(db)).toMatchObject({ pairs: 0, costUsd: 0, costPerPairUsd: null, days: [] });
      expect(renderStats(datasetStats(db), plain)).toMatch(/pairs +0/);
    }));
});
