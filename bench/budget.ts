/**
 * Two compile workers of four calls each have a thousand trajectories and one dollar, on one data directory, against a
 * model server that writes its own bill and cuts off one answer in 25. One worker is killed on the way:
 *
 *     npx tsx bench/budget.ts [--trajectories 1000] [--cap 1] [--postgres]
 *
 * At the cap both wait, `run --once` ends with 4, and nothing is parked; with a higher cap everything is compiled, once.
 * The ledger lies in SQLite, or in Postgres. Prints what was billed, spent and compiled; ends with 1 where more was billed
 * or spent than the cap, where anything was lost, parked or paid for twice, or where it did not go on.
 */
import { parseArgs } from 'node:util';
import { drillBudget, faultsOf } from './budget/drill.ts';

const { values } = parseArgs({
  options: {
    trajectories: { type: 'string', default: '1000' },
    cap: { type: 'string', default: '1' },
    postgres: { type: 'boolean', default: false },
  },
});

const begun = performance.now();
const say = (sentence: string) =>
  process.stdout.write(`${((performance.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${sentence}\n`);
const options = {
  trajectories: Number(values.trajectories),
  capUsd: Number(values.cap),
  ledger: values.postgres ? 'postgres' : 'sqlite',
  ...{ workers: 4, answerMs: 100, cutEvery: 25, kill: true, say },
} as const;
const report = await drillBudget(options);
say(JSON.stringify(report, null, 2));
const faults = faultsOf(report, options);
for (const fault of faults) process.stdout.write(`FAULT: ${fault}\n`);
process.stdout.write(
  faults.length === 0
    ? `the cap of ${options.capUsd} USD held, and all ${options.trajectories} trajectories were compiled\n`
    : 'the drill failed\n',
);
process.exitCode = faults.length === 0 ? 0 : 1;
