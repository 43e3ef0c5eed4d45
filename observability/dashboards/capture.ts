import { definitions as metrics } from '../../src/metrics/definitions.ts';
import type { DashboardSource, Row } from '../dashboard.ts';
import { events, lines, states } from '../panels.ts';
import { highest, perInterval, perSecond, series, total } from '../queries.ts';
import { history, journal, processes, sessions } from './journal.ts';

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

export const capture: DashboardSource = {
  uid: 'tc-capture',
  title: 'Capture',
  description: 'From the server’s WAL to sealed trajectories: what comes in, how far behind it is, and what it leaves.',
  rows: [flow, lag, slot, sessions, journal, history, processes],
};
