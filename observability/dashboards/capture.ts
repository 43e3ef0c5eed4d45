import { definitions as metrics } from '../../src/metrics/definitions.ts';
import type { DashboardSource, Row } from '../dashboard.ts';
import { bars, events, figure, lines, states } from '../panels.ts';
import { highest, named, perInterval, perSecond, quantile, series, summed, total } from '../queries.ts';

const flow: Row = {
  title: 'What comes in',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Rows per second',
          description: 'Audit-log rows stored in the journal; 0 while agents work means that capture stands still.',
          unit: 'suffix:rows/s',
          width: 8,
          min: 0,
          queries: [{ expr: perSecond(metrics.rows), legend: 'Stored' }],
        }),
        lines({
          title: 'Bytes per second',
          description: 'Bytes of row messages received; many bytes for few rows are large rows, which cost disk.',
          unit: 'Bps',
          width: 8,
          min: 0,
          queries: [{ expr: perSecond(metrics.received), legend: 'Received' }],
        }),
        lines({
          title: 'Transactions per second',
          description: 'Transactions of the audit log; one row in each is the slowest way to write it.',
          unit: 'suffix:transactions/s',
          width: 8,
          min: 0,
          queries: [{ expr: perSecond(metrics.transactions), legend: 'Received' }],
        }),
      ],
    },
  ],
};

const lag: Row = {
  title: 'How far behind',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Seconds behind the source',
          description: 'How long ago the server was where the stream is now; worry when it stays above a minute.',
          unit: 's',
          width: 6,
          min: 0,
          queries: [{ expr: highest(metrics.lagSeconds, ['instance']), legend: '{{instance}}' }],
          steps: ['green', [60, 'yellow'], [120, 'red']],
        }),
        lines({
          title: 'Bytes behind the source',
          description:
            'WAL between what is received and the end of the WAL, other tables’ included; worry about a line that only climbs.',
          unit: 'bytes',
          width: 6,
          min: 0,
          queries: [{ expr: highest(metrics.lagBytes, ['instance']), legend: '{{instance}}' }],
        }),
        lines({
          title: 'Rows not yet in the journal',
          description:
            'Rows received that are not durable yet; worry when it stays in the thousands: the disk is too slow.',
          unit: 'short',
          width: 6,
          min: 0,
          queries: [{ expr: highest(metrics.bufferedRows, ['instance']), legend: '{{instance}}' }],
        }),
        lines({
          title: 'Bytes not yet in the journal',
          description: 'Bytes of those rows, which are held in memory; reading pauses before they grow too many.',
          unit: 'bytes',
          width: 6,
          min: 0,
          queries: [{ expr: highest(metrics.bufferedBytes, ['instance']), legend: '{{instance}}' }],
        }),
      ],
    },
    {
      height: 7,
      panels: [
        lines({
          title: 'Watermark delay',
          description:
            'How far the watermark is behind the clock, and so how late an ended session is noticed; seconds are usual.',
          unit: 's',
          width: 8,
          min: 0,
          queries: [{ expr: highest(metrics.watermarkDelay, ['instance']), legend: '{{instance}}' }],
          steps: ['green', [60, 'yellow'], [120, 'red']],
        }),
        states({
          title: 'Connection',
          description:
            'Whether the replication connection stands; red for more than a moment means that no row comes in.',
          unit: 'none',
          width: 8,
          queries: [{ expr: highest(metrics.connected, ['instance']), legend: '{{instance}}' }],
          mappings: { 0: { text: 'not connected', color: 'red' }, 1: { text: 'connected', color: 'green' } },
        }),
        states({
          title: 'Reading',
          description:
            'Whether reading pauses until the journal has caught up; often paused means that the disk is the limit.',
          unit: 'none',
          width: 8,
          queries: [{ expr: highest(metrics.throttled, ['instance']), legend: '{{instance}}' }],
          mappings: { 0: { text: 'reads', color: 'green' }, 1: { text: 'paused', color: 'orange' } },
        }),
      ],
    },
  ],
};

const walStatus = (status: string) => series(metrics.slotStatus, { status });

const slot: Row = {
  title: 'The slot',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'WAL kept for the slot',
          description:
            'What the server must keep until it is confirmed here; a line that only climbs fills the server’s disk.',
          unit: 'bytes',
          width: 8,
          min: 0,
          queries: [{ expr: highest(metrics.slotRetained, ['instance']), legend: '{{instance}}' }],
          steps: ['green', [5 * 2 ** 30, 'red']],
        }),
        lines({
          title: 'WAL until the slot can be lost',
          description:
            'What may still be written before the server may drop the slot; at 0, rows are lost to the stream.',
          unit: 'bytes',
          width: 8,
          min: 0,
          queries: [{ expr: `min by (instance) (${series(metrics.slotSafe)}) < Inf`, legend: '{{instance}}' }],
          noValue: 'no limit is set',
          emptyWhen: 'max_slot_wal_keep_size of the server is -1: it keeps all WAL and never loses the slot.',
        }),
        states({
          title: 'State of the slot',
          description:
            'pg_replication_slots.wal_status; unreserved is the last call before lost, which needs a new start.',
          unit: 'none',
          width: 8,
          queries: [
            {
              expr: `max by (instance) (${walStatus('extended')} + ignoring (status) 2 * ${walStatus('unreserved')} + ignoring (status) 3 * ${walStatus('lost')})`,
              legend: '{{instance}}',
            },
          ],
          mappings: {
            0: { text: 'reserved', color: 'green' },
            1: { text: 'extended', color: 'yellow' },
            2: { text: 'unreserved', color: 'orange' },
            3: { text: 'lost', color: 'red' },
          },
        }),
      ],
    },
    {
      height: 7,
      panels: [
        events({
          title: 'Reconnects',
          description: 'Times the replication connection was made again; a few a day are usual, many a minute are not.',
          unit: 'short',
          width: 8,
          queries: [{ expr: perInterval(metrics.reconnects), legend: 'Reconnects' }],
        }),
        events({
          title: 'Append-only violations',
          description:
            'Updates, deletes and truncates of the log; above 0, the dataset tells of rows that were changed later.',
          unit: 'short',
          width: 8,
          queries: [{ expr: perInterval(metrics.tampered, ['kind']), legend: '{{kind}}' }],
        }),
        lines({
          title: 'Rows that miss the stream',
          description:
            'Partitions attached filled, publications replaced, unlogged tables; above 0, rows have to be read with `backfill`.',
          unit: 'short',
          width: 8,
          min: 0,
          queries: [
            { expr: total(metrics.unstreamed, ['kind']), legend: '{{kind}}' },
            { expr: highest(metrics.unlogged), legend: 'unlogged tables' },
          ],
        }),
      ],
    },
  ],
};

const sessions: Row = {
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

const journal: Row = {
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

const history: Row = {
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

const processes: Row = {
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

export const capture: DashboardSource = {
  uid: 'tc-capture',
  title: 'Capture',
  description: 'From the server’s WAL to sealed trajectories: what comes in, how far behind it is, and what it leaves.',
  rows: [flow, lag, slot, sessions, journal, history, processes],
};
