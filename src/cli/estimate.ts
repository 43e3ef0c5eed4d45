import type { Command } from 'commander';
import type { Config } from '../config.ts';
import { count, usdRange } from '../dataset/figures.ts';
import { exitCodes } from '../errors.ts';
import { assumed, measuredCalls, type Range } from '../estimate/tokens.ts';
import { type Estimate, type EstimatedModel, type EstimatedWay, estimate } from '../estimating.ts';
import { parseCount } from './arguments.ts';
import type { Act } from './context.ts';
import { counted } from './figures.ts';
import { table } from './table.ts';

interface Options {
  day?: number;
  file?: string;
}

export function defineEstimate(program: Command, act: Act): void {
  program
    .command('estimate')
    .description('what compiling the log would cost with each tier, at list prices; reads only, and calls no model')
    .option('--day <rows>', 'of a day that brings so many rows, like those of the log', parseCount)
    .option('--file <file>', 'of a file of recorded rows (JSONL, plain or gzip) in place of the log')
    .action(
      act(
        async ({ config, log, json, print }, { day, file }: Options) => {
          const result = await estimate(config, log, {
            ...(day === undefined ? {} : { day }),
            ...(file === undefined ? {} : { file }),
          });
          print(json ? JSON.stringify({ ...result, assumed }) : textOf(result, config));
          return exitCodes.ok;
        },
        { endsAtOnce: true },
      ),
    );
}

function textOf(result: Estimate, config: Config): string {
  const rows = result.ways.map(rowOf);
  const head = ['tier', 'service', 'compiled by', 'verified by', 'with coverage', 'all of it'];
  return [volumeOf(result, config), '', table(head, rows), '', ...basisOf(result, config)].join('\n');
}

function rowOf({
  name,
  serviceTier,
  compileModel,
  verifyModel,
  withCoverage,
  withoutCoverage,
}: EstimatedWay): string[] {
  return [
    name,
    serviceTier ?? '',
    compileModel ?? 'no model',
    verifyModel ?? '',
    usdRange(withCoverage),
    usdRange(withoutCoverage),
  ];
}

function volumeOf({ volume }: Estimate, config: Config): string {
  const { sessions, sampledSessions, turns, segments, admittedSegments: admitted, of } = volume;
  const what = { log: 'the log', file: 'the file', day: 'a day' }[of];
  const read = sampledSessions < sessions && of === 'log' ? `, the text of ${count(sampledSessions)} of them read` : '';
  const left =
    admitted.low === admitted.high ? count(admitted.high) : `${count(admitted.low)} to ${count(admitted.high)}`;
  const long = `${counted(sessions, 'session')} of ${config['session.minTurns']} turns or more`;
  return `${what}: ${long} (${counted(turns, 'turn')})${read}; ${counted(segments, 'segment')}, ${left} with coverage`;
}

function basisOf({ models, pricesOf, priceSource, volume, verify }: Estimate, config: Config): string[] {
  const { 'coverage.first': first, 'coverage.oneIn': oneIn } = config;
  const covered = `Coverage: of one shape the first ${count(first)} segments, then one in ${count(oneIn)}`;
  return [
    `An estimate at list prices of ${pricesOf} (${priceSource}, and prices of the settings): no bill, and no bound. budget.perDay is one.`,
    ...models.map(modelLine),
    `Assumed where nothing is measured: ${assumedText()}.`,
    `A tier is measured after ${measuredCalls} recorded calls of its model, and then within ${percentOf(assumed.margin.high - 1)} of their mean. Nothing is taken to be cached. Flex is half the price; where it is refused, the standard price is paid.`,
    volume.of === 'day' ? `${covered}; from all segments of old shapes to all of new ones.` : `${covered}.`,
    ...(verify ? [] : ['verify.mode is off: nothing is verified.']),
  ];
}

function modelLine({ model, stage, price, later, measuredCalls: calls }: EstimatedModel): string {
  const basis = calls === null ? 'tokens assumed' : `tokens as measured over ${count(calls)} calls`;
  const perMillion = (usd: { input: number; output: number }) => `${usd.input} in, ${usd.output} out`;
  const cost = price === null ? 'price unknown' : `${perMillion(price)} USD per million tokens`;
  const change = later === null ? '' : ` (in 90 days ${perMillion(later)})`;
  return `${model} (${stage}): ${cost}${change}, ${basis}.`;
}

function assumedText(): string {
  const range = ({ low, high }: Range) => (low === high ? count(low) : `${count(low)}–${count(high)}`);
  const { charsPerToken, compileOutput, thinkingShare, retries, verifiedShare, verifyCalls, verifyOutput } = assumed;
  return [
    `${charsPerToken.high}–${charsPerToken.low} characters a token`,
    `${range(compileOutput)} tokens of answer a segment`,
    `thoughts of ${percentOf(thinkingShare.low)} to ${percentOf(thinkingShare.high)} of what the model may think`,
    `up to ${percentOf(retries.high)} of calls billed twice`,
    `pairs to verify in ${percentOf(verifiedShare.low)} to ${percentOf(verifiedShare.high)} of segments, in ${range(verifyCalls)} calls with ${range(verifyOutput)} tokens of answer`,
  ].join('; ');
}

const percentOf = (share: number) => `${Math.round(share * 100)} %`;
