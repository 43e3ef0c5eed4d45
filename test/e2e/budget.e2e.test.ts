/** The drill of bench/budget.ts in its short form: nobody is killed, and no answer is cut off. */
import { expect, it } from 'vitest';
import { drillBudget, faultsOf } from '../../bench/budget/drill.ts';

it('two workers stop at the cap, lose and park nothing, and finish everything once it is higher', async () => {
  const said: string[] = [];
  const say = (sentence: string) => said.push(sentence);
  const size = { trajectories: 100, capUsd: 0.2, workers: 4, answerMs: 20, cutEvery: 1_000 } as const;
  const options = { ...size, ledger: 'sqlite', kill: false, say } as const;
  const report = await drillBudget(options);
  expect(faultsOf(report, options), JSON.stringify({ report, said }, null, 2)).toEqual([]);
}, 300_000);
