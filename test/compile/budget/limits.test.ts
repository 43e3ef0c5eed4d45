import { expect, it } from 'vitest';
import { nanoOf, refuseUnpriced } from '../../../src/compile/budget/limits.ts';

it('money is whole nano-dollars: exact where it is, never less where it is not', () => {
  expect([0.1 + 0.2, 0.55, 1.1, 0.000_000_075].map(nanoOf)).toEqual([300_000_000, 550_000_000, 1_100_000_000, 75]);
  expect([0.1 / 3, 1e-10].map(nanoOf)).toEqual([33_333_334, 1]);
});

it('a model without a price is refused under a cap, unless its calls may count as nothing', () => {
  const none = { perCall: null, perTrajectory: null, perDay: null, perMonth: null };
  const model = { model: 'local-model', priced: false, unpriced: 'refuse' } as const;
  const refused = expect.objectContaining({ kind: 'stop', code: 'budget_unpriced', exitCode: 3 });
  expect(() => refuseUnpriced({ ...model, limits: { ...none, perDay: 0 } })).toThrow(refused);
  const sentence =
    /^local-model has no price, so budget\.perDay, budget\.perMonth would not hold.*budget\.unpriced: allow$/;
  expect(() => refuseUnpriced({ ...model, limits: { ...none, perDay: 1, perMonth: 9 } })).toThrow(sentence);
  refuseUnpriced({ ...model, limits: none });
  refuseUnpriced({ ...model, limits: { ...none, perDay: 1 }, unpriced: 'allow' });
  refuseUnpriced({ ...model, limits: { ...none, perDay: 1 }, priced: true });
});
