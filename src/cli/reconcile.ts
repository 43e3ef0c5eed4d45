import type { Command } from 'commander';
import { count } from '../dataset/figures.ts';
import { exitCodes } from '../errors.ts';
import { accountedClasses, type BucketReport, differs, faultClasses } from '../reconcile/accounts.ts';
import { timeOfHour } from '../reconcile/faulty.ts';
import { type Reconciliation, type Repaired, reconcile } from '../reconciling.ts';
import { microsOf } from '../records.ts';
import { parseDate, refuseEmpty } from './backfill.ts';
import type { Act } from './context.ts';
import { counted } from './figures.ts';
import { showStatus } from './status-line.ts';
import { table } from './table.ts';

interface ReconcileFlags {
  since?: string;
  until?: string;
  repair?: true;
  all?: true;
}

const microsPerHour = 3_600_000_000;

export function defineReconcile(program: Command, act: Act): void {
  program
    .command('reconcile')
    .description('compare the table, hour by hour, with all that was taken in and compiled; accounts for every row')
    .option('--since <date>', 'from the hour of this time on, such as 2026-11-01 or 2026-11-01T08:00:00Z', parseDate)
    .option('--until <date>', 'up to this time, by whole hours', parseDate)
    .option('--repair', 'take in what is missing, send again what is lost')
    .option('--all', 'show hours without a difference too')
    .action(
      act(async ({ config, log, version, json, print, note, drain, abort }, flags: ReconcileFlags) => {
        let rows = 0;
        const line = showStatus(() => `${counted(rows, 'row')} of the table compared`);
        try {
          refuseEmpty(flags.since, flags.until);
          const range = { since: hourOf(flags.since, Math.floor), until: hourOf(flags.until, Math.ceil) };
          const onProgress = (n: number) => {
            rows = n;
          };
          const repair = flags.repair === true;
          const result = await reconcile({ config, log, version, range, repair, drain, abort, onProgress, note });
          line.stop();
          if (json) printJson(result, print);
          else printTables(result, flags.all === true, print);
          note(verdictOf(result, repair));
          if (!result.complete) return exitCodes.partial;
          return result.faults > 0 ? exitCodes.failed : exitCodes.ok;
        } finally {
          line.stop();
        }
      }),
    );
}

function hourOf(date: string | undefined, round: (hours: number) => number): number | null {
  return date === undefined ? null : round(microsOf(date)! / microsPerHour);
}

const nameOf = (bucket: number | null) => (bucket === null ? null : timeOfHour(bucket));

function printJson(
  { buckets, total, faults, named, repaired, complete }: Reconciliation,
  print: (line: string) => void,
) {
  for (const { bucket, ...report } of buckets) print(JSON.stringify({ hour: nameOf(bucket), ...report }));
  print(JSON.stringify({ summary: total, faults, named, repaired, complete }));
}

function printTables({ buckets, total, named }: Reconciliation, all: boolean, print: (line: string) => void): void {
  const shown = all ? buckets : buckets.filter(differs);
  const columns = [...accountedClasses, ...faultClasses].filter((name) => (total.classes[name] ?? 0) > 0);
  const others = (['gone', 'pruned'] as const).filter((name) => total[name] > 0);
  const cells = ({ rows, classes, ...rest }: Omit<BucketReport, 'bucket'>) => [
    count(rows),
    ...columns.map((name) => figure(classes[name] ?? 0)),
    ...others.map((name) => figure(rest[name])),
  ];
  const head = ['hour (UTC)', 'in the table', ...[...columns, ...others].map((name) => name.replaceAll('_', ' '))];
  const lines = shown.map((report) => [hourName(report.bucket), ...cells(report)]);
  const right = head.map((_, i) => (i === 0 ? ('left' as const) : ('right' as const)));
  if (buckets.length > 0) print(table(head, [...lines, ['all', ...cells(total)]], right));
  if (named.length === 0) return;
  const rows = named.map(({ fault, rowKey, sessionId, createdAt }) => [fault, rowKey, sessionId, createdAt ?? '']);
  print(`\n${table(['fault', 'row', 'session', 'time'], rows)}`);
}

const hourName = (bucket: number | null) => nameOf(bucket)?.replace('T', ' ').slice(0, 16) ?? 'without a time';

const figure = (n: number) => (n === 0 ? '' : count(n));

function repairText({ rowsTaken, resent, notRebuilt }: Repaired): string {
  const sent = `${counted(resent, 'lost trajectory')} sent again`;
  const first = notRebuilt[0];
  return [
    ...(rowsTaken > 0 ? [`${counted(rowsTaken, 'row')} taken in`] : []),
    ...(resent > 0 || rowsTaken + notRebuilt.length === 0 ? [sent] : []),
    ...(first === undefined
      ? []
      : [
          `${counted(notRebuilt.length, 'lost trajectory')} not touched, since the table does not show any more what they were, such as ${first.trajectoryId} of session ${first.sessionId} (${reasons[first.reason]})`,
        ]),
  ].join('; ');
}

const reasons = {
  other_rows: 'rows of it are gone, or rows of one time stand in another order',
  rows_altered: 'rows of it were altered',
};

/** One sentence, and for each fault what to do. */
function verdictOf({ total, faults, repaired, complete }: Reconciliation, repair: boolean): string {
  const { rows, classes, pruned, notCompared, gone } = total;
  const taken = repaired === null ? '' : `${repairText(repaired)}; `;
  if (!complete) return `${taken}stopped before the end: ${counted(rows, 'row')} compared`;
  const behind = classes.behind ?? 0;
  const asides = [
    ...(behind > 0
      ? [`${counted(behind, 'row')} behind what capture has stored: compare again when it has caught up, or start run`]
      : []),
    ...((classes.unread ?? 0) > 0
      ? [`${counted(classes.unread ?? 0, 'row')} from before capture began: backfill --since takes them in`]
      : []),
    ...((classes.parked ?? 0) > 0 ? [`${counted(classes.parked ?? 0, 'row')} among the dead letters: dlq list`] : []),
    ...(pruned > 0
      ? [
          `${counted(pruned, 'row')} taken in and no longer in the table, from before the hour of its oldest row or from that hour: pruned, or deleted by somebody`,
        ]
      : []),
    ...(notCompared > 0
      ? [`${counted(notCompared, 'row')} without a digest of this key: present, not shown to be unchanged`]
      : []),
  ];
  const rest = asides.length === 0 ? '' : ` (${asides.join('; ')})`;
  if (rows === 0 && faults === 0) return `${taken}the table has no row in this range${rest}`;
  if (faults === 0) return `${taken}every row is accounted for: ${counted(rows, 'row')} of the table${rest}`;
  const advice = [
    ...((classes.missing ?? 0) + (classes.lost ?? 0) > 0
      ? [
          repair
            ? 'what is still missing or lost: look into the log of run'
            : 'reconcile --repair takes in what is missing and sends again what is lost',
        ]
      : []),
    ...((classes.altered ?? 0) > 0
      ? ['altered rows: find who updates an append-only log; the dataset has what they said']
      : []),
    ...(gone > 0 ? ['gone rows: find who deletes from it'] : []),
    ...((classes.doubled ?? 0) > 0 ? ['doubled rows: report it, with the named rows'] : []),
  ];
  const what = [...faultClasses, 'gone' as const].flatMap((name) => {
    const n = name === 'gone' ? gone : (classes[name] ?? 0);
    return n > 0 ? [`${count(n)} ${name}`] : [];
  });
  return `${taken}${counted(faults, 'row')} of ${count(rows)} not accounted for: ${what.join(', ')}${rest}: ${advice.join('; ')}`;
}
