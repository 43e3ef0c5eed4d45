/**
 * What redaction finds and what it leaves alone, and how fast: on labelled texts, on the personal values that are known to
 * stand in the recorded sessions, on values put into them by seed, and on a seeded British corpus with near misses.
 *
 *     npm run bench:redaction -- [--seed 7] [--repeats 9] [--show 5]
 *
 * Exit code 1 where a demand is missed.
 */
import { parseArgs } from 'node:util';
import { createDetect } from '../src/compile/redact/detect.ts';
import { openRedactor } from '../src/compile/redact/open-redactor.ts';
import { createMemoryPlaceholders } from '../src/compile/redact/placeholders-sqlite.ts';
import { scoreCorpus } from './redaction/corpus.ts';
import { demands } from './redaction/demands.ts';
import { scoreLabelled } from './redaction/labelled.ts';
import { recordedTrajectories } from './redaction/recorded.ts';
import { shareOf, type Tally, type Touched } from './redaction/score.ts';
import {
  onePlaceholder,
  redactAll,
  type Survivors,
  survivingCanaries,
  survivingInjected,
} from './redaction/sessions.ts';
import { hostileTimes, throughputOf } from './redaction/speed.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '7' },
    repeats: { type: 'string', default: '9' },
    show: { type: 'string', default: '5' },
  },
});
const [seed, repeats, show] = [values.seed, values.repeats, values.show].map(Number) as [number, number, number];
const slowestShown = 12;
const missed: string[] = [];
const detect = createDetect({ names: [] });
const open = () =>
  openRedactor({
    ...{ detect, policy: {}, key: 'key of this benchmark alone', vaultKey: null, names: [] },
    placeholders: createMemoryPlaceholders(),
  });

// First: texts that no log holds make the compiled code slower for all that comes after them.
const speed = await throughputOf(open, repeats);
tellLabelled();
tellCorpus();
const redactor = open();
const recorded = recordedTrajectories();
const redacted = await redactAll(redactor, recorded);
tellCanaries(survivingCanaries(redacted));
tellOnePlaceholder();
tellInjected(await survivingInjected(redactor, recorded, seed));
await redactor.close();
await tellSpeed();
for (const sentence of missed) say(`missed: ${sentence}`);
process.exitCode = missed.length === 0 ? 0 : 1;

function tellLabelled(): void {
  const { recall, nearMisses, touched, missed: standing } = scoreLabelled(detect);
  for (const [tier, tallies] of recall) {
    tellTallies(`labelled texts, ${tier}`, 'covered', tallies);
    if (tier === 'core_pii')
      demand(shareOf(tallies) >= demands.coreRecall, `recall on core_pii below ${demands.coreRecall}`);
  }
  tellList('core_pii left standing', standing);
  tellTouched(`near misses touched: ${touched.length} of ${nearMisses}`, touched);
  demand(touched.length <= demands.nearMissesTouched, `more than ${demands.nearMissesTouched} near misses touched`);
}

function tellCorpus(): void {
  const { recall, leftAlone, touched, missed: standing } = scoreCorpus(detect, seed);
  tellTallies('seeded British corpus', 'covered', recall);
  tellList('left standing', standing);
  tellTallies('near misses of the seeded corpus', 'left alone', leftAlone);
  tellTouched(`touched: ${touched.length}`, touched);
  const falseAlarms = 1 - shareOf(leftAlone);
  demand(falseAlarms <= demands.falseAlarms, `false alarms on ${percent(falseAlarms)} of the seeded near misses`);
  const asked = recall.filter(({ name }) => !demands.reportedOnly.has(name));
  demand(shareOf(asked) >= demands.corpusRecall, `recall on the seeded corpus ${percent(shareOf(asked))}`);
}

function tellCanaries({ gone, survivors }: Survivors): void {
  tellTallies('personal values of the recorded sessions', 'gone', gone);
  tellList('surviving', survivors);
  for (const { name, n, found } of gone) {
    demand(found === n || !demands.noSurvivors.has(name), `${n - found} canaries of ${name} survive`);
  }
}

function tellOnePlaceholder(): void {
  const { values: count, broken } = onePlaceholder(recorded, redacted);
  say(`\nvalues that stand more than once in a session: ${count}; with more than one placeholder: ${broken.length}`);
  tellList('', broken);
  demand(broken.length === 0, 'one value has several placeholders');
}

function tellInjected({ gone, survivors }: Survivors): void {
  tellTallies('values put into the recorded sessions', 'gone', gone);
  tellList('surviving', survivors);
  demand(survivors.length === 0, `${survivors.length} injected values survive`);
}

async function tellSpeed(): Promise<void> {
  const { megabytes, redactor: rate, json } = speed;
  say(`\nrecorded sessions, ${megabytes.toFixed(1)} MB of text, median of ${repeats}: ${rate.toFixed(1)} MB/s`);
  say(`JSON.parse and JSON.stringify of the same: ${json.toFixed(0)} MB/s, ${(json / rate).toFixed(1)} times as fast`);
  demand(rate >= demands.megabytesPerSecond, `${rate.toFixed(1)} MB/s`);
  const hostile = await hostileTimes(open);
  say('\nhostile text, seconds a megabyte, slowest first:');
  for (const { unit, seconds } of hostile.slice(0, slowestShown))
    say(`  ${seconds.toFixed(2)}  ${JSON.stringify(unit)}`);
  const slowest = hostile[0]!;
  demand(
    slowest.seconds <= demands.hostileSecondsPerMegabyte,
    `${slowest.seconds.toFixed(2)} s for a megabyte of ${slowest.unit}`,
  );
}

function tellTallies(title: string, verb: string, tallies: readonly Tally[]): void {
  say(`\n| ${title} | n | ${verb} | share |\n|---|---|---|---|`);
  const total = tallies.reduce((sum, { n, found }) => ({ name: 'all', n: sum.n + n, found: sum.found + found }), {
    ...{ name: 'all', n: 0, found: 0 },
  });
  for (const { name, n, found } of [...tallies, total]) say(`| ${name} | ${n} | ${found} | ${percent(found / n)} |`);
}

function tellTouched(title: string, touched: readonly Touched[]): void {
  say(`\n${title}`);
  tellList(
    '',
    touched.map(({ text, findings }) => `${findings.join(', ')} in ${JSON.stringify(text)}`),
  );
}

/** Of each kind, the first word of a line, so many. */
function tellList(title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  if (title !== '') say(`\n${title}: ${lines.length}`);
  const told = new Map<string, number>();
  for (const line of lines) {
    const kind = line.split(' ', 1)[0]!;
    const count = (told.get(kind) ?? 0) + 1;
    told.set(kind, count);
    if (count <= show) say(`  ${line.slice(0, 300)}`);
  }
  for (const [kind, count] of told) if (count > show) say(`  and ${count - show} more of ${kind} (--show ${count})`);
}

function demand(isMet: boolean, sentence: string): void {
  if (!isMet) missed.push(sentence);
}

function percent(share: number): string {
  return Number.isNaN(share) ? '–' : `${(100 * share).toFixed(1)} %`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
