/**
 * Capture as fast as Postgres can send: our whole process with journal, fsync and confirmation against `pg_recvlogical`
 * writing to nothing, over the same WAL and the same transport, in alternating pairs.
 *
 *     npm run bench:capture -- [--part pairs] [--rows 200000] [--pairs 5] [--seconds 10] [--json]
 */
import { parseArgs } from 'node:util';
import { measurePairs, type PairsResult } from './capture/pairs.ts';
import { build, findPgRecvlogical } from './capture/readers.ts';

const goals = {
  pairs: [
    { perTransaction: 1000 as const, ratio: 0.6 },
    { perTransaction: 1 as const, ratio: 0.8 },
  ],
  peakBytes: 300 * 2 ** 20,
};

const { values } = parseArgs({
  options: {
    part: { type: 'string', multiple: true, default: ['pairs'] },
    rows: { type: 'string', default: '200000' },
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
    transaction: { type: 'string', multiple: true, default: ['1000', '1'] },
    json: { type: 'boolean', default: false },
  },
});

const say = (sentence: string) => process.stderr.write(`${sentence}\n`);
const results: Record<string, unknown> = {};
const missed: string[] = [];
const built = build();
try {
  if (values.part.includes('pairs')) results.pairs = await comparePairs();
} finally {
  built.remove();
}
if (values.json) process.stdout.write(`${JSON.stringify({ ...results, missed })}\n`);
for (const goal of missed) say(`MISSED: ${goal}`);
process.exitCode = missed.length === 0 ? 0 : 1;

async function comparePairs(): Promise<PairsResult[]> {
  const all: PairsResult[] = [];
  for (const { perTransaction, ratio } of goals.pairs) {
    if (!values.transaction.includes(String(perTransaction))) continue;
    const result = await measurePairs({
      perTransaction,
      rows: Number(values.rows),
      pairs: Number(values.pairs),
      seconds: Number(values.seconds),
      pgRecvlogical: findPgRecvlogical(),
      built,
      say,
    });
    all.push(result);
    tellPairs(result);
    const what = `transactions of ${perTransaction}`;
    if (result.ratio < ratio) missed.push(`${what}: ratio ${result.ratio.toFixed(3)}, wanted ${ratio}`);
    if (result.peakBytes > goals.peakBytes) missed.push(`${what}: peak memory ${mebibytes(result.peakBytes)}`);
  }
  return all;
}

function tellPairs(result: PairsResult): void {
  const rates = `pg_recvlogical ${Math.round(result.limitRowsPerSecond)} rows/s, capture ${Math.round(result.captureRowsPerSecond)} rows/s confirmed`;
  const stages = Object.entries(result.cpuUsPerRowByStage).map(([stage, us]) => `${stage} ${us.toFixed(2)}`);
  tell(
    `transactions of ${result.perTransaction}: ${rates}, median of ${result.pairs.length} paired ratios ${result.ratio.toFixed(3)}; ${result.cpuUsPerRow.toFixed(1)} µs CPU a row, peak ${mebibytes(result.peakBytes)}`,
  );
  tell(`  µs a row by stage, profiled: ${stages.join(', ')}`);
}

function tell(line: string): void {
  (values.json ? process.stderr : process.stdout).write(`${line}\n`);
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
