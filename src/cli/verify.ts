import { type Command, InvalidArgumentError } from 'commander';
import { count, usd } from '../dataset/figures.ts';
import { type ExitCode, exitCodes } from '../errors.ts';
import { isoOf, microsOf } from '../records.ts';
import { durationMs } from '../setting-kinds.ts';
import { type VerifyProgress, verifyStored } from '../verifying.ts';
import { parseCount } from './arguments.ts';
import { parseDate } from './backfill.ts';
import type { Act } from './context.ts';
import { counted } from './figures.ts';
import { showStatus } from './status-line.ts';

interface VerifyFlags {
  since: string;
  limit: number;
  all?: boolean;
}

export function defineVerify(program: Command, act: Act): void {
  program
    .command('verify')
    .description(
      'look again at pairs of the dataset: those without a verdict, with an error for one, or with one of another version',
    )
    .requiredOption(
      '--since <when>',
      'compiled since a date such as 2026-11-01, or a duration such as 7d ago',
      parseSince,
    )
    .option('--limit <n>', 'how many pairs, the newest', parseCount, 1000)
    .option('--all', 'every pair that is not proved')
    .action(
      act(async ({ config, log, json, print, note, drain, abort }, { since, limit, all = false }: VerifyFlags) => {
        let latest: VerifyProgress | null = null;
        const line = showStatus(() => (latest === null ? 'reading the dataset' : progressText(latest)));
        try {
          const onProgress = (progress: VerifyProgress) => {
            latest = progress;
          };
          const result = await verifyStored({ config, since, limit, all, log, drain, abort, onProgress });
          line.stop();
          print(json ? JSON.stringify(result) : resultText(result));
          for (const [code, n] of Object.entries(result.failed)) note(`${counted(n, 'pair')} not looked at: ${code}`);
          if (result.due === limit)
            note(`no more than the newest ${counted(limit, 'pair')} were taken: --limit takes more`);
          return exitCodeOf(result);
        } finally {
          line.stop();
        }
      }),
    );
}

/** ISO text of a date, or of as long ago as a duration says. */
export function parseSince(text: string): string {
  const ms = durationMs(text);
  if (ms !== null) return new Date(Date.now() - ms).toISOString();
  try {
    return isoOf(microsOf(parseDate(text))!);
  } catch {
    throw new InvalidArgumentError(
      'a date such as 2026-11-01 or 2026-11-01T08:30:00Z, or a duration such as 12h or 7d',
    );
  }
}

/** A pair that is still without a verdict is due again. */
function exitCodeOf({ due, done, verdicts, failed }: VerifyProgress): ExitCode {
  const whole = done === due && Object.keys(failed).length === 0 && (verdicts.error ?? 0) === 0;
  return whole ? exitCodes.ok : exitCodes.partial;
}

function progressText({ due, done, verdicts, costUsd }: VerifyProgress): string {
  const told = Object.entries(verdicts).map(([status, n]) => `${status} ${count(n)}`);
  return [`${count(done)} of ${counted(due, 'pair')}`, ...told, usd(costUsd)].join(' · ');
}

function resultText(result: VerifyProgress): string {
  const reasons = Object.entries(result.reasons)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, n]) => `${reason} ${count(n)}`);
  return [progressText(result), ...(reasons.length === 0 ? [] : [reasons.join(' · ')])].join('\n');
}
