/**
 * Kills a capture at every crash point and at random moments, while connections, server and walsender fail, and then
 * judges whether a row was lost, doubled or confirmed too early:
 *
 *     npx tsx bench/drill-capture.ts [--kills 300] [--seconds 780] [--seed 1]
 *
 * A real Postgres with fsync, writers of many kinds, the compiled command line as a process, a TCP proxy between the two.
 * What the capture made of the log is compared with the log, with the order in which another decoder saw the commits, and
 * with an undisturbed capture of the same WAL. Ends with one line, and with 1 where a promise was broken or less was
 * killed than was asked for.
 */
import { parseArgs } from 'node:util';
import { drillCapture, drilledPoints } from './drill/capture-drill.ts';
import { faultsOf, killsOf, summaryOf } from './drill/capture-tally.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '780' },
    seed: { type: 'string', default: '1' },
  },
});
const kills = Number(values.kills);

const begun = performance.now();
const say = (sentence: string) =>
  process.stdout.write(`${String(Math.round((performance.now() - begun) / 1000)).padStart(4)} s  ${sentence}\n`);
const faultRounds = Math.max(1, Math.round(kills / 100));
const tally = await drillCapture({
  ...{ kills, faultRounds, captures: 2, say },
  timeoutMs: Number(values.seconds) * 1_000,
  seed: Number(values.seed),
});
say(`kills: ${JSON.stringify(tally.kills)}; faults: ${JSON.stringify(tally.faults)}`);
say(
  `${tally.rows} rows in ${tally.parts} parts; ${tally.samples} samples; ${tally.ownEnds} starts while the source was away`,
);
const found = faultsOf(tally);
for (const point of drilledPoints) if (tally.kills[point] === undefined) found.push(`nothing was killed at ${point}`);
if (killsOf(tally) < kills) found.push(`only ${killsOf(tally)} of ${kills} kills`);
for (const fault of found) process.stdout.write(`FAULT: ${fault}\n`);
process.stdout.write(`${summaryOf(tally)}\n`);
process.exitCode = found.length === 0 ? 0 : 1;
