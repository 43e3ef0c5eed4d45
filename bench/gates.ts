/**
 * How much of what is wrong the gates refuse: the pairs that the rules find in a file of rows, and the same without their
 * derivations, each changed so that it is wrong; and each written differently so that it stays right.
 *
 *     npm run bench:gates -- FILE [--seed 7] [--show 3] [--redacted]
 *
 * FILE holds one JSON row a line (gzip or plain), as for `bench/rules-sheet.ts`; the recorded sessions beside the
 * checkout where none is named. Exit code 1 where less than 95 % of a change's pairs are refused, or more than 2 % of those
 * that stay right.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { noRedaction } from '../src/compile/redact/redactor.ts';
import { isMet, measure, pairsOf, type Score } from './gates/measure.ts';
import { benchRedactor, linesIn, sheetOf } from './rules-sheet.ts';

/** Shorter sessions have no room for a question. */
const minTurns = 3;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '7' },
    show: { type: 'string', default: '0' },
    redacted: { type: 'boolean', default: false },
  },
});
const recorded = fileURLToPath(new URL('../../shared/data/audit_log.jsonl.gz', import.meta.url));
const redactor = values.redacted ? benchRedactor() : noRedaction;
const sheet = await sheetOf(linesIn(positionals[0] ?? recorded), minTurns, redactor);
const { pairs, refusedPlain } = pairsOf(sheet);
const scores = measure(pairs, Number(values.seed));

say(`${countOf('rules')} pairs of the rules, ${countOf('plain')} of them pass without their derivation too`);
say(`the others, without it: ${tally(refusedPlain)}\n`);
say('| change | pairs | n | rejected | left true | reasons |\n|---|---|---|---|---|---|');
for (const score of scores) {
  say(row(score));
  for (const { draft } of score.missed.slice(0, Number(values.show)))
    say(`    ${draft.supportingTurns}\n    Q ${draft.question}\n    A ${draft.answer}`);
}
const missed = scores.filter((score) => !isMet(score));
for (const { change, kind } of missed) say(`missed: ${change}, ${kind}`);
process.exitCode = missed.length === 0 ? 0 : 1;

function row({ change, kind, n, rejected, leftTrue, reasons }: Score): string {
  const share = n === 0 ? '–' : `${((100 * rejected) / n).toFixed(1)} %`;
  return `| ${change} | ${kind} | ${n} | ${share} | ${leftTrue} | ${tally(reasons)} |`;
}

function countOf(kind: Score['kind']): number {
  return pairs.filter((pair) => pair.kind === kind).length;
}

function tally(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  return sorted.map(([name, count]) => `${name} ${count}`).join(', ');
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
