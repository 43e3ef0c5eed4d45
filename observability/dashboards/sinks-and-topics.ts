import { definitions as metrics } from '../../src/metrics/definitions.ts';
import type { DashboardSource, Row } from '../dashboard.ts';
import { bars, events, lines } from '../panels.ts';
import { highest, perInterval, perSecond, quantile, total } from '../queries.ts';

const waiting: Row = {
  title: 'What waits',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Messages unfinished',
          description: 'Messages each group has not finished; worry about a group whose line only climbs.',
          unit: 'short',
          width: 8,
          min: 0,
          queries: [{ expr: highest(metrics.topicDepth, ['topic', 'group']), legend: '{{topic}} for {{group}}' }],
        }),
        lines({
          title: 'Age of the oldest message',
          description: 'How long the oldest unfinished message waits; worry when it climbs as fast as the clock.',
          unit: 's',
          width: 8,
          min: 0,
          queries: [{ expr: highest(metrics.topicAge, ['topic', 'group']), legend: '{{topic}} for {{group}}' }],
        }),
        lines({
          title: 'Messages in work',
          description:
            'Messages delivered and not finished yet, by process; 0 while messages wait means nobody works on them.',
          unit: 'short',
          width: 8,
          min: 0,
          queries: [
            {
              expr: highest(metrics.topicInWork, ['topic', 'group', 'instance']),
              legend: '{{topic}} for {{group}} at {{instance}}',
            },
          ],
        }),
      ],
    },
    {
      height: 8,
      panels: [
        lines({
          title: 'Lag by partition',
          description:
            'Messages unfinished in each partition of Kafka; one partition far above the others has a hot session.',
          unit: 'short',
          width: 8,
          min: 0,
          queries: [
            {
              expr: highest(metrics.topicPartition, ['topic', 'group', 'partition']),
              legend: '{{topic}} for {{group}}, partition {{partition}}',
            },
          ],
          noValue: 'no partitions: the topics are embedded',
          emptyWhen: 'The topics are embedded: only Kafka has partitions.',
        }),
        lines({
          title: 'Sealed trajectories not yet on the topic',
          description: 'The outbox of capture; worry when it climbs, for then the topic is out of reach.',
          unit: 'short',
          width: 8,
          min: 0,
          queries: [{ expr: highest(metrics.outboxDepth, ['instance']), legend: '{{instance}}' }],
        }),
        lines({
          title: 'Dead letters',
          description:
            'Messages parked for a person, by group; above 0, run `dlq list`, mend the cause, then `dlq requeue`.',
          unit: 'short',
          width: 8,
          min: 0,
          queries: [{ expr: highest(metrics.deadLetters, ['topic', 'group']), legend: '{{topic}} for {{group}}' }],
          steps: ['green', [1, 'red']],
        }),
      ],
    },
  ],
};

const again: Row = {
  title: 'What came again',
  lines: [
    {
      height: 7,
      panels: [
        events({
          title: 'Redeliveries',
          description:
            'Deliveries that were not a message’s first; many mean that attempts fail or that leases run out.',
          unit: 'short',
          width: 8,
          queries: [{ expr: perInterval(metrics.redeliveries, ['topic']), legend: '{{topic}}' }],
        }),
        events({
          title: 'Duplicates',
          description: 'Messages that came again though finished, and were absorbed; a few follow each restart.',
          unit: 'short',
          width: 8,
          queries: [{ expr: perInterval(metrics.duplicates, ['topic']), legend: '{{topic}}' }],
        }),
        events({
          title: 'Rebalances',
          description:
            'Times partitions were shared out anew; more than members come and go means that heartbeats are missed.',
          unit: 'short',
          width: 8,
          queries: [{ expr: perInterval(metrics.rebalances, ['topic']), legend: '{{topic}}' }],
        }),
      ],
    },
  ],
};

const written = perSecond(metrics.sinkWrites, ['sink']);
const failed = perSecond(metrics.sinkWrites, ['sink'], { outcome: 'error' });

const writing: Row = {
  title: 'Sinks',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Messages written per second',
          description:
            'Messages that each sink took or refused; worry when refused ones go on: they are tried again, then parked.',
          unit: 'wps',
          width: 8,
          min: 0,
          queries: [{ expr: perSecond(metrics.sinkWrites, ['sink', 'outcome']), legend: '{{sink}} {{outcome}}' }],
        }),
        lines({
          title: 'Share of writes that fail',
          description: 'Of the writes to each sink; worry about anything above 0 that lasts for minutes.',
          unit: 'percentunit',
          width: 8,
          min: 0,
          max: 1,
          queries: [
            {
              expr: `(${failed} or ${written} * 0) / ${written}`,
              legend: '{{sink}}',
            },
          ],
          steps: ['green', [0.01, 'orange'], [0.1, 'red']],
          noValue: 'nothing was written',
        }),
        lines({
          title: 'Duration of a write',
          description:
            'Median and 95th percentile of writing one message; worry when it nears the time between messages.',
          unit: 's',
          width: 8,
          min: 0,
          queries: [
            { expr: quantile(0.5, metrics.sinkDuration, ['sink']), legend: '{{sink}}, median' },
            { expr: quantile(0.95, metrics.sinkDuration, ['sink']), legend: '{{sink}}, p95' },
          ],
          noValue: 'nothing was written',
        }),
      ],
    },
    {
      height: 8,
      panels: [
        lines({
          title: 'From session end to dataset',
          description:
            'Median and 95th percentile of the time from a trajectory’s last row to the sink, session.idleTimeout included; worry when it climbs.',
          unit: 's',
          width: 8,
          min: 0,
          queries: [
            { expr: quantile(0.5, metrics.sinkDelay, ['sink']), legend: '{{sink}}, median' },
            { expr: quantile(0.95, metrics.sinkDelay, ['sink']), legend: '{{sink}}, p95' },
          ],
          noValue: 'nothing was written',
        }),
        bars({
          title: 'Rows by effect',
          description:
            'Rows of the messages written in the time shown; unchanged ones were there already: duplicates absorbed.',
          unit: 'locale',
          width: 8,
          decimals: 0,
          queries: [{ expr: total(metrics.sinkRows, ['sink', 'effect']), legend: '{{sink}} {{effect}}' }],
          noValue: 'nothing was written',
        }),
        lines({
          title: 'Pairs in the dataset',
          description:
            'Pairs in force in the SQLite dataset without duplicates, and those that a gate refused; worry when pairs stop growing.',
          unit: 'short',
          width: 8,
          min: 0,
          queries: [
            { expr: highest(metrics.datasetPairs), legend: 'Pairs' },
            { expr: highest(metrics.datasetRejected), legend: 'Rejected' },
          ],
          noValue: 'no dataset file here',
          emptyWhen: 'No process keeps the SQLite dataset: pairs go to another sink.',
        }),
      ],
    },
  ],
};

export const sinksAndTopics: DashboardSource = {
  uid: 'tc-sinks-and-topics',
  title: 'Sinks and topics',
  description: 'What waits between the stages, what came again, and what sinks do with it.',
  rows: [waiting, again, writing],
};
