/** On the recorded sessions, where they lie beside the checkout. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { isMet, measure, pairsOf } from '../../../bench/gates/measure.ts';
import { sheetOf } from '../../../bench/rules-sheet.ts';
import { agrees } from '../../../src/compile/derivation.ts';
import { instructionsIn } from '../../../src/compile/gates/instructions.ts';
import { runGates } from '../../../src/compile/gates/run.ts';
import { factsOf } from '../../../src/compile/mentions.ts';
import { recompute } from '../../../src/compile/rules/recompute.ts';

const file = fileURLToPath(new URL('../../../../shared/data/audit_log.jsonl.gz', import.meta.url));

if (existsSync(file)) {
  describe('the recorded sessions', async () => {
    const sheet = await sheetOf(gunzipSync(readFileSync(file)).toString(), 10);

    it('yield a pair in at least 60 % of those with ten turns or more', () => {
      const withPairs = sheet.filter(({ drafts }) => drafts.length > 0).length;
      expect(withPairs / sheet.length).toBeGreaterThanOrEqual(0.6);
    });

    it('yield all four types', () => {
      const types = new Set(sheet.flatMap(({ drafts }) => drafts.map((draft) => draft.qaType)));
      expect([...types].sort()).toEqual(['composition', 'factoid', 'reasoning', 'temporal']);
    });

    it('yield nothing that the gates refuse or hold back', () => {
      for (const { view, drafts } of sheet) {
        const { passed, refused } = runGates(drafts, view, { recompute });
        expect(refused).toEqual([]);
        expect(passed.filter((one) => one.held !== null)).toEqual([]);
      }
    });

    it('yield pairs that the gates refuse once they are made wrong, and let through however they are written', () => {
      const { pairs } = pairsOf(sheet.filter((_, i) => i % 3 === 0));
      const scores = measure(pairs, 7);
      const misses = scores.filter((score) => !isMet(score));
      expect(misses.map(({ change, kind, n, rejected }) => `${change}, ${kind}: ${rejected} of ${n}`)).toEqual([]);
      expect(scores.filter(({ harmful, n }) => harmful && n >= 15)).toHaveLength(12);
    });

    it('show each injected instruction for what it is, from end to end, and nothing else for one', () => {
      const missed: string[] = [];
      let blocks = 0;
      for (const turn of sheet.flatMap(({ view }) => view.turns)) {
        const found = [...factsOf(turn).folded.matchAll(/<INFORMATION>.*?<\/INFORMATION>/g)];
        const spans = instructionsIn(turn);
        const isCovered = ({ index, 0: block }: RegExpExecArray) =>
          spans.some(({ from, to }) => from <= index && index + block.length <= to);
        if (found.length === 0 ? spans.length > 0 : !found.every(isCovered)) missed.push(turn.text.slice(0, 200));
        blocks += found.length;
      }
      expect(missed).toEqual([]);
      expect(blocks).toBeGreaterThan(5);
    });

    it('yield derivations that give their result again', () => {
      for (const { view, drafts } of sheet) {
        for (const { derivation } of drafts) {
          expect(agrees(derivation!.op, recompute(derivation!, view) ?? '', derivation!.result)).toBe(true);
        }
      }
    });
  });
} else {
  describe('the sheet of pairs', () => {
    it('groups rows by session and leaves short sessions out', async () => {
      const row = (session: string, seq: number) =>
        JSON.stringify({
          session_id: session,
          seq,
          agent: 'a',
          tool: 'look',
          arguments: {},
          response: 'x',
          created_at: null,
        });
      const rows = [row('long', 1), row('short', 1), row('long', 0)].join('\n');
      const sheet = await sheetOf(rows, 2);
      expect(sheet.map(({ view }) => [view.trajectory.sessionId, view.turns.length])).toEqual([['long', 2]]);
    });
  });
}
