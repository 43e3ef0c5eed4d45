/** What coverage promises, wherever it counts. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SegmentView } from '../../../src/compile/compiler.ts';
import type { Coverage, CoverageRules } from '../../../src/compile/coverage/coverage.ts';
import { createView } from '../../../src/compile/segment.ts';
import { type Row, trajectoryOf } from '../../support/trajectories.ts';

const day = 86_400_000;

export const routine: Row[] = [
  { tool: 'list', args: { queue: 'north' }, response: { open: ['C-71'] } },
  { tool: 'read', args: { case: 'C-71' }, response: { parcel: 'PX-4417' } },
  { tool: 'move', args: { case: 'C-71', to: 'archive' }, response: { done: true } },
  { tool: 'note', args: { text: 'C-71 is done' }, response: 'kept' },
];

/** A session of its own, which ended on that day. */
export function viewOf(rows: Row[], session: string, onDay = 0): SegmentView {
  const trajectory = trajectoryOf(rows, { id: session, sessionId: session });
  return createView({ ...trajectory, endedAt: Date.UTC(2026, 2, 2) * 1000 + onDay * day * 1000 });
}

export interface CoverageHarness {
  /** Several see the same. */
  open(rules: CoverageRules): Promise<Coverage>;
  dispose(): Promise<void>;
}

export function coverageContract(name: string, start: () => Promise<CoverageHarness>): void {
  describe(`coverage in ${name}`, () => {
    const rules: CoverageRules = { first: 3, oneIn: 5, windowMs: 7 * day };
    let harness: CoverageHarness;
    beforeEach(async () => {
      harness = await start();
    });
    afterEach(() => harness.dispose());

    const answers = async (coverage: Coverage, views: SegmentView[]): Promise<boolean[]> => {
      const given: boolean[] = [];
      for (const view of views) given.push(await coverage.admits(view));
      return given;
    };
    const runs = (count: number, onDay = 0, name = 'run') =>
      Array.from({ length: count }, (_, nth) => viewOf(routine, `${name}-${onDay}-${nth}`, onDay));
    /** What the first run of a routine is admitted for, whatever its shape. */
    const acquainted = async (coverage: Coverage) => void (await coverage.admits(viewOf(routine, 'the first')));

    it('admits the first ones of a shape, then one in so many', async () => {
      const given = await answers(await harness.open(rules), runs(13));
      expect(given.map((admitted) => (admitted ? 1 : 0)).join('')).toBe('1110000100001');
    });

    it('gives a segment the answer that it gave before, whoever asks again', async () => {
      const views = runs(13);
      const given = await answers(await harness.open(rules), views);
      expect(await answers(await harness.open(rules), views.toReversed())).toEqual(given.toReversed());
    });

    it('counts by the times of the log: a week later the first ones are admitted again, in whichever order they come', async () => {
      const coverage = await harness.open({ ...rules, oneIn: 1000 });
      expect((await answers(coverage, runs(5, 20))).filter(Boolean)).toHaveLength(3);
      expect((await answers(coverage, runs(5, 15))).filter(Boolean)).toHaveLength(0);
      expect((await answers(coverage, runs(5, 10))).filter(Boolean)).toHaveLength(3);
    });

    it('admits a tool that its agent never called', async () => {
      const coverage = await harness.open({ ...rules, oneIn: 1000 });
      await answers(coverage, runs(20));
      const wide = [...routine, ...routine.map((row) => ({ ...row, tool: 'note' }))];
      const other = (tool: string) => [...routine, { tool, args: { case: 'C-71' }, response: 'sent' }];
      expect(await coverage.admits(viewOf(other('escalate'), 'a new tool'))).toBe(true);
      expect(await coverage.admits(viewOf(other('escalate'), 'no longer new'))).toBe(false);
      expect(await coverage.admits(viewOf(wide.slice(0, 5), 'nothing new'))).toBe(false);
    });

    it('admits failures as long as their kind is rare', async () => {
      const coverage = await harness.open({ ...rules, oneIn: 1000 });
      await answers(coverage, runs(20));
      const failing = routine.with(2, {
        tool: 'move',
        args: { case: 'C-71', to: 'x' },
        response: { error: 'no such folder' },
      });
      const views = Array.from({ length: 5 }, (_, nth) => viewOf(failing, `failing-${nth}`));
      expect(await answers(coverage, views)).toEqual([true, true, true, false, false]);
    });

    it('admits everything where one in one is asked for, also what it passed over before', async () => {
      const views = runs(8);
      await answers(await harness.open(rules), views);
      expect(await answers(await harness.open({ ...rules, oneIn: 1 }), views)).toEqual(views.map(() => true));
    });

    it('admits no more where workers ask at the same moment', async () => {
      const workers = await Promise.all(Array.from({ length: 4 }, () => harness.open(rules)));
      await acquainted(workers[0]!);
      const given = await Promise.all(runs(22).map((view, nth) => workers[nth % 4]!.admits(view)));
      expect(given.filter(Boolean)).toHaveLength(2 + 4);
    });
  });
}
