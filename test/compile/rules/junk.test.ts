import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agrees } from '../../../src/compile/derivation.ts';
import { runGates } from '../../../src/compile/gates/run.ts';
import { recompute } from '../../../src/compile/rules/recompute.ts';
import { createRulesCompiler } from '../../../src/compile/rules/rules.ts';
import { type Line, viewOf } from './session.ts';

const word = fc.constantFrom(
  'check_x',
  'set_level',
  'bash',
  'edit',
  'get_order',
  'message.user',
  'a.b-c',
  '',
  'ünï',
  '__proto__',
);
const scalar = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constantFrom(null, 'ID-1001', '#W1', 'Level: 3 %', 'Error: no', '⟦EMAIL_1⟧', 'a | b | c', '\uD800', 'constructor'),
);
const shape = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('node'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom('id', 'order_id', 'command', 'path', 'error', 'content', '__proto__', 'a.b', ''),
      tie('node'),
    ),
  ),
})).node;
const line: fc.Arbitrary<Line> = fc.record({
  agent: fc.constantFrom('a', 'b', ''),
  tool: word,
  args: shape,
  response: fc.oneof(shape, fc.string({ maxLength: 200 })),
  at: fc.integer({ min: 0, max: 100_000 }),
});

describe('sessions of any form', () => {
  it('never break the compiler, and what is proposed holds and passes the gates', async () => {
    const compiler = createRulesCompiler();
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 25 }), async (lines) => {
        const view = viewOf(lines);
        const { drafts, emptyReason } = await compiler.propose(view, new AbortController().signal);
        expect(emptyReason).toBe(drafts.length === 0 ? 'no_structure' : null);
        expect(runGates(drafts, view, { recompute }).refused).toEqual([]);
        for (const { derivation } of drafts) {
          expect(agrees(derivation!.op, recompute(derivation!, view) ?? '', derivation!.result)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('does not grow out of hand with the length of a session', async () => {
    const lines = Array.from({ length: 2_000 }, (_, i): Line => {
      const kinds: Line[] = [
        { tool: 'check_level', response: `Level: ${i % 7} %` },
        { tool: 'set_level', args: { level: i % 5 }, response: 'Level is now set' },
        {
          tool: 'get_order',
          args: { order_id: `O-${1000 + (i % 40)}` },
          response: { order_id: `O-${1000 + (i % 40)}`, n: i },
        },
        {
          tool: 'bash',
          args: { command: `grep -n ${i} notes.txt` },
          response: { content: 'grep: no', exit_code: i % 2 },
        },
      ];
      return kinds[i % 4]!;
    });
    const started = performance.now();
    await createRulesCompiler().propose(viewOf(lines), new AbortController().signal);
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});
