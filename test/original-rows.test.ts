import { expect, it } from 'vitest';
import { withOriginalText } from '../src/original-rows.ts';
import type { Turn } from '../src/records.ts';
import { createDigester } from '../src/row-digest.ts';
import { contentHashOf } from '../src/sessionizer/trajectory.ts';
import { trajectoryOf } from './support/records.ts';

const digester = createDigester('a key of sixteen and more');
const original = trajectoryOf();
const stored = {
  ...original,
  contentHash: 'redacted:0123',
  turns: original.turns.map((turn) => ({ ...turn, response: '{"to":"⟦EMAIL_1⟧"}', digest: digester.digestOf(turn) })),
};
const history = original.turns.map((turn) => ({ ...turn, committedAt: null }));
const reader = (rows: Turn[]) => ({ readRows: async () => rows });

it('a stored trajectory gets the text of its rows again, and stays the same one', async () => {
  const { turns, ...rest } = await withOriginalText(stored, reader(history.toReversed()), digester);
  const { turns: _, ...same } = stored;
  // Of the rows' text, not of the redacted one: redaction would take it for its own work, changed since.
  expect(rest).toEqual({ ...same, contentHash: contentHashOf(original.turns) });
  expect(turns).toEqual(original.turns.map((turn) => ({ ...turn, digest: digester.digestOf(turn) })));
});

it('a stored trajectory keeps its own text where a row is gone or was changed', async () => {
  expect(await withOriginalText(stored, reader(history.slice(1)), digester)).toBe(stored);
  const changed = history.with(3, { ...history[3]!, response: '"other"' });
  expect(await withOriginalText(stored, reader(changed), digester)).toBe(stored);
});
