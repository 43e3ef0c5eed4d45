import { type Command, InvalidArgumentError } from 'commander';
import { submitBackfill } from '../backfilling.ts';
import { count } from '../dataset/figures.ts';
import { exitCodes } from '../errors.ts';
import { microsOf } from '../records.ts';
import type { RequestState } from '../requests.ts';
import type { Act } from './context.ts';
import { counted } from './figures.ts';
import { showStatus } from './status-line.ts';

interface BackfillFlags {
  since: string;
  until?: string;
}

export function defineBackfill(program: Command, act: Act): void {
  program
    .command('backfill')
    .description(
      'take in rows of the table by their time, beside a running capture or without one; known rows are left out',
    )
    .requiredOption('--since <date>', 'from this time on, such as 2026-11-01 or 2026-11-01T08:30:00Z', parseDate)
    .option('--until <date>', 'up to this time, itself not included; default: all that is there', parseDate)
    .action(
      act(async ({ config, log, version, json, print, note, drain, abort }, { since, until }: BackfillFlags) => {
        const progress = showBackfill(note);
        try {
          const request = { reason: 'backfill' as const, since, until: until ?? null, resend: [] };
          const options = { config, log, version, drain, abort, onProgress: progress.show };
          const state = await submitBackfill(request, options);
          progress.stop();
          if (json) print(JSON.stringify(state));
          else print(backfillText(state));
          return state.state === 'done' ? exitCodes.ok : exitCodes.partial;
        } finally {
          progress.stop();
        }
      }),
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

export function backfillText({ state, rowsRead, rowsTaken }: RequestState): string {
  if (state !== 'done') return 'stopped; whoever captures here next goes on with it';
  return `${counted(rowsRead, 'row')} looked at, ${count(rowsTaken)} taken in; the others were known`;
}

/** ISO text, so that the server reads what the person meant: a date alone is midnight in UTC. */
export function parseDate(text: string): string {
  const dated = /^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text;
  const at = microsOf(dated);
  if (at === null || !Number.isFinite(at))
    throw new InvalidArgumentError('a date such as 2026-11-01 or 2026-11-01T08:30:00Z');
  return dated;
}
