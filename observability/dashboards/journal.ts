/** The rows of the dashboard of capture that tell of what it keeps, not of the stream. */
import { definitions as metrics } from '../../src/metrics/definitions.ts';
import type { Row } from '../dashboard.ts';
import { bars, events, figure, lines } from '../panels.ts';
import { highest, named, perInterval, quantile, series, summed, total } from '../queries.ts';

export const sessions: Row = {
  title: 'Sessions',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Open and held parts of sessions',
          description:
            'Parts that may still grow, and short ones that wait for more turns; worry when open ones only climb: nothing closes.',
          unit: 'short',
          width: 8,
          min: 0,
          queries: [
            { expr: summed(metrics.openParts), legend: 'Open' },
            { expr: summed(metrics.heldParts), legend: 'Held' },
          ],
        }),
        events({
          title: 'Parts closed',
          description:
            'Parts sealed as trajectories by what closed them; none while rows come means sessions never end.',
          unit: 'short',
          width: 8,
          queries: [{ expr: perInterval(metrics.closes, ['reason']), legend: '{{reason}}' }],
        }),
        bars({
          title: 'Parts let go',
          description:
            'Parts of the time shown that became no trajectory; many below the minimum ask for a lower minTurns.',
          unit: 'locale',
          width: 8,
          decimals: 0,
          queries: [{ expr: total(metrics.released, ['reason']), legend: '{{reason}}' }],
        }),
      ],
    },
    {
      height: 8,
      panels: [
        bars({
          title: 'Rows not carried on',
          description: 'Rows of the time shown that were skipped, by why; no_session and too_large deserve a look.',
          unit: 'locale',
          width: 8,
          decimals: 0,
          queries: [{ expr: total(metrics.rowsSkipped, ['reason']), legend: '{{reason}}' }],
        }),
        events({
          title: 'Trajectories sent once more',
          description:
            'Trajectories rebuilt from the log since they were lost further down; any means that something was lost.',
          unit: 'short',
          width: 8,
          queries: [{ expr: perInterval(metrics.revisions), legend: 'Sent once more' }],
        }),
        figure({
          title: 'Sessions known',
          description: 'Sessions that the data directory knows of; it grows with the log and says how much was seen.',
          unit: 'locale',
          width: 8,
          queries: [{ expr: summed(metrics.seenSessions), legend: 'sessions' }],
        }),
      ],
    },
  ],
};

export const journal: Row = {
  title: 'Journal and disk',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Journal commit',
          description:
            'Duration of one durable transaction; a 99th percentile above 100 ms is a disk that is too slow.',
          unit: 's',
          width: 8,
          min: 0,
          queries: [
            { expr: quantile(0.5, metrics.journalCommit), legend: 'median' },
            { expr: quantile(0.95, metrics.journalCommit), legend: 'p95' },
            { expr: quantile(0.99, metrics.journalCommit), legend: 'p99' },
          ],
          noValue: 'nothing was written',
          steps: ['green', [0.1, 'orange']],
        }),
        lines({
          title: 'Files of the data directory',
          description:
            'Size of each file, write-ahead logs included; a journal far above its open sessions is worth a look.',
          unit: 'bytes',
          width: 8,
          min: 0,
          queries: [{ expr: highest(metrics.dataFileBytes, ['file']), legend: '{{file}}' }],
        }),
        lines({
          title: 'Free disk space',
          description:
            'What is left where each data directory lies; worry below 5 GiB, since a full disk stops capture.',
          unit: 'bytes',
          width: 8,
          min: 0,
          queries: [{ expr: `min by (instance) (${series(metrics.dataFree)})`, legend: '{{instance}}' }],
          steps: ['red', [2 * 2 ** 30, 'orange'], [5 * 2 ** 30, 'green']],
        }),
      ],
    },
  ],
};

const reading = {
  noValue: 'no history is being read',
  emptyWhen: 'History is read at a first start with --from beginning only; afterwards there is none.',
};

export const history: Row = {
  title: 'History',
  lines: [
    {
      height: 6,
      panels: [
        lines({
          title: 'Rows of history read',
          description:
            'Rows read so far beside the planner’s guess of all; a flat line before the end means reading hangs.',
          unit: 'short',
          width: 12,
          min: 0,
          queries: [
            { expr: highest(metrics.historyRows), legend: 'Read' },
            { expr: highest(metrics.historyEstimate), legend: 'Estimated' },
          ],
          ...reading,
        }),
        bars({
          title: 'Share of history read',
          description: 'Rows read of the planner’s guess, which may be off by some; 100 % or more is nearly done.',
          unit: 'percentunit',
          width: 12,
          max: 1,
          queries: [{ expr: `${highest(metrics.historyRows)} / ${highest(metrics.historyEstimate)}`, legend: 'read' }],
          ...reading,
        }),
      ],
    },
  ],
};

export const processes: Row = {
  title: 'Processes',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'CPU',
          description: 'Cores that each process uses; a process that stays at 1 is at its limit.',
          unit: 'suffix:cores',
          width: 6,
          min: 0,
          queries: [{ expr: `rate(${named('process_cpu_seconds_total')}[$__rate_interval])`, legend: '{{instance}}' }],
        }),
        lines({
          title: 'Memory',
          description: 'Resident memory of each process and what of it is heap; worry about lines that climb for days.',
          unit: 'bytes',
          width: 6,
          min: 0,
          queries: [
            { expr: named('process_resident_memory_bytes'), legend: '{{instance}} resident' },
            { expr: named('nodejs_heap_size_used_bytes'), legend: '{{instance}} heap' },
          ],
        }),
        lines({
          title: 'Event loop lag',
          description:
            'How late each process gets to its work, 99th percentile; above a second, it does too much at once.',
          unit: 's',
          width: 6,
          min: 0,
          queries: [{ expr: named('nodejs_eventloop_lag_p99_seconds'), legend: '{{instance}}' }],
          steps: ['green', [0.25, 'yellow'], [1, 'red']],
        }),
        events({
          title: 'Warnings and errors',
          description: 'Lines of the log that call for attention; read the log of the process whose bars appear.',
          unit: 'short',
          width: 6,
          queries: [{ expr: perInterval(metrics.logLines, ['instance', 'level']), legend: '{{instance}} {{level}}' }],
        }),
      ],
    },
  ],
};
