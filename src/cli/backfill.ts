import { type Command, InvalidArgumentError, Option } from 'commander';
import { submitBackfill } from '../backfilling.ts';
import { count } from '../dataset/figures.ts';
import { type ExitCode, exitCodes, stop } from '../errors.ts';
import { isoOf, microsOf } from '../records.ts';
import type { ChangedRows, RequestState } from '../requests.ts';
import type { Act } from './context.ts';
import { counted } from './figures.ts';
import { showStatus } from './status-line.ts';

interface BackfillFlags {
  since: string;
  until?: string;
  changed: ChangedRows;
}

export function defineBackfill(program: Command, act: Act): void {
  program
    .command('backfill')
    .description(
      'take in rows of the table by their time, beside a running capture or without one; known rows are left out',
    )
    .requiredOption('--since <date>', 'from this time on, such as 2026-11-01 or 2026-11-01T08:30:00Z', parseDate)
    .option('--until <date>', 'up to this time, itself not included; default: all that is there', parseDate)
    .addOption(changedOption())
    .action(
      act(
        async ({ config, log, version, json, print, note, drain, abort }, { since, until, changed }: BackfillFlags) => {
          refuseEmpty(since, until);
          const progress = showBackfill(note);
          try {
            const request = { reason: 'backfill' as const, since, until: until ?? null, resend: [], changed };
            const options = { config, log, version, drain, abort, onProgress: progress.show };
            const state = await submitBackfill(request, options);
            progress.stop();
            if (json) print(JSON.stringify(state));
            else print(backfillText(state, changed));
            return backfillExitCode(state, changed);
          } finally {
            progress.stop();
          }
        },
      ),
    );
}

/** A line that says how far it is, with rate and time left. */
export function showBackfill(note: (line: string) => void) {
  const begun = performance.now();
  let latest: RequestState | null = null;
  let said = false;
  const line = showStatus(() => progressText(latest, (performance.now() - begun) / 1000));
  return {
    show: (state: RequestState, elsewhere: boolean) => {
      latest = state;
      if (elsewhere && !said) note('a capture runs in this data directory: it takes the rows in');
      said ||= elsewhere;
    },
    stop: () => line.stop(),
  };
}

function progressText(state: RequestState | null, seconds: number): string {
  if (state === null || state.state === 'waiting') return 'waiting for the stream to catch up';
  const { rowsRead, rowsTaken, estimatedRows } = state;
  const rate = rowsRead / Math.max(1, seconds);
  const left = estimatedRows === null || rowsRead === 0 ? null : Math.max(0, estimatedRows - rowsRead) / rate;
  const of = estimatedRows === null ? '' : ` of about ${count(Math.max(estimatedRows, rowsRead))}`;
  const figures = [`rows ${count(rowsRead)}${of}`, `${count(rate)}/s`, `not known ${count(rowsTaken)}`];
  return [...figures, ...(left === null ? [] : [`${count(left)} s left`])].join(' · ');
}

/** What becomes of rows whose key was taken in before, with other contents. */
export function changedOption(): Option {
  const what =
    'rows whose key was taken in before with other contents, as where keys are given again after a failover: leave them out and say so, or take them in as new rows';
  return new Option('--changed <what>', what).choices(['leave', 'take']).default('leave');
}

export function backfillText({ state, rowsRead, rowsTaken, rowsChanged }: RequestState, changed: ChangedRows): string {
  if (state !== 'done') return 'stopped; whoever captures here next goes on with it';
  const all = `${counted(rowsRead, 'row')} looked at, ${count(rowsTaken)} taken in; the others were known`;
  if (rowsChanged === 0) return all;
  const changedRows = `${counted(rowsChanged, 'row')} with a key that was taken in before with other contents`;
  if (changed === 'take') return `${all}; among those taken in ${changedRows}`;
  return `${all}, but ${changedRows} left out: where rows were updated they are in already as they were; where a failover or a restore gave keys again they are other rows: backfill --since DATE --changed take takes them in`;
}

/** Rows that were left out though the table has them so are for a person to decide about. */
export function backfillExitCode({ state, rowsChanged }: RequestState, changed: ChangedRows): ExitCode {
  const isWhole = state === 'done' && (rowsChanged === 0 || changed === 'take');
  return isWhole ? exitCodes.ok : exitCodes.partial;
}

/** @throws OperatorError `empty_range` where nothing can lie between the two. */
export function refuseEmpty(since: string | undefined, until: string | undefined): void {
  if (since === undefined || until === undefined || microsOf(since)! < microsOf(until)!) return;
  throw stop('empty_range', `--since ${since} is not before --until ${until}: nothing lies between them`, {
    exitCode: exitCodes.usage,
  });
}

/** ISO text, so that the server reads what the person meant: a date alone is midnight in UTC. */
export function parseDate(text: string): string {
  const dated = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  const clock = dated.slice(0, 19).replace(' ', 'T');
  const at = microsOf(`${clock}Z`);
  // There is no 31 June, which would become the first of July here and an error on the server.
  if (microsOf(dated) === null || at === null || !Number.isFinite(at) || isoOf(at).slice(0, 19) !== clock)
    throw new InvalidArgumentError('a date such as 2026-11-01 or 2026-11-01T08:30:00Z');
  return dated;
}
