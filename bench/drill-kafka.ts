/**
 * Processes and the broker are killed again and again while recorded sessions are loaded under new ids; then everything
 * must be in both sinks, once, and equal:
 *
 *     npx tsx bench/drill-kafka.ts [--seconds 180] [--seed 1] [--kafka 4.1|3.9]
 *
 * One capture, three compile workers and two sinks, each a process of its own, over Postgres and one Kafka broker. Every
 * 2 to 8 s a random process gets SIGKILL, every 30 s the broker; each is started again. Compile workers crash by themselves
 * between publishing and acknowledging, now and then, so that duplicates are certain. Where a machine is too slow for
 * 100 trajectories in that time, the noise lasts up to three times as long. Ends with 1 where a trajectory
 * is lost, doubled or altered, where the sinks differ, where fewer than 100 were compiled during the noise, or where no
 * duplicate was seen to be absorbed.
 */
import { parseArgs } from 'node:util';
import { runDrill } from './drill/drill.ts';
import { faultsOf } from './drill/faults.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '180' },
    seed: { type: 'string', default: '1' },
    kafka: { type: 'string', default: '4.1' },
  },
});

const write = (line: string) => process.stdout.write(`${line}\n`);
const compiledAtLeast = 100;
const report = await runDrill({
  compiledAtLeast,
  noiseMs: Number(values.seconds) * 1_000,
  seed: Number(values.seed),
  version: values.kafka === '3.9' ? '3.9' : '4.1',
  say: write,
});
write(JSON.stringify(report, null, 2));
const faults = faultsOf(report, { compiledAtLeast });
for (const fault of faults) write(`FAULT: ${fault}`);
write(faults.length === 0 ? 'every qualifying trajectory is in both sinks, once, and equal' : 'the drill failed');
process.exitCode = faults.length === 0 ? 0 : 1;
