import { definitions as metrics } from '../../src/metrics/definitions.ts';
import type { DashboardSource, Row } from '../dashboard.ts';
import { bars, figure, figureNow, lines, names, rows } from '../panels.ts';
import { highest, named, perHour, recorded, series, summed, total } from '../queries.ts';
import { noModel, noPairsPaid } from '../reasons.ts';

const costDetails = { uid: 'tc-cost', title: 'Cost' };
const captureDetails = { uid: 'tc-capture', title: 'Capture' };
const qualityDetails = { uid: 'tc-compile-quality', title: 'Compile quality' };
const topicDetails = { uid: 'tc-sinks-and-topics', title: 'Sinks and topics' };

/** The counter by agents begins with each agent’s first pair, which no rate sees; this one is there from the start. */
const accepted = { outcome: /proved|pass/ };

/** Alerts carry the job, and the instance only where their expression keeps it. */
function firing(which?: string): string {
  const labels = ['alertstate="firing"', 'job=~"$job|"', 'instance=~"$instance|"', which];
  return `ALERTS{${labels.filter((label) => label !== undefined).join(', ')}}`;
}

const wrong: Row = {
  title: 'Is anything wrong?',
  lines: [
    {
      height: 4,
      panels: [
        figureNow({
          title: 'Alerts firing',
          description:
            'How many alerts fire now that want a person, which those of severity info do not; above 0, see the list at the bottom.',
          unit: 'none',
          width: 4,
          queries: [{ expr: `count(${firing('severity!="info"')}) or vector(0)`, legend: 'firing' }],
          steps: ['green', [1, 'red']],
        }),
        figureNow({
          title: 'Processes up',
          description: 'Whether each process answered the last scrape; red is a process that is down or out of reach.',
          unit: 'none',
          width: 4,
          queries: [{ expr: named('up'), legend: '{{instance}}' }],
          steps: ['red', [1, 'green']],
          mappings: { 0: { text: 'down', color: 'red' }, 1: { text: 'up', color: 'green' } },
        }),
        figure({
          title: 'Behind the source',
          description:
            'How long ago the server was where capture is now; worry when it stays above a minute, and look at Capture.',
          unit: 's',
          more: captureDetails,
          width: 4,
          queries: [{ expr: highest(metrics.lagSeconds), legend: 'behind' }],
          steps: ['green', [60, 'yellow'], [120, 'red']],
        }),
        names({
          title: 'Paused',
          description:
            'What compiling waits for, by the code of the reason; it goes on by itself, but until then no pairs come.',
          unit: 'none',
          more: qualityDetails,
          width: 4,
          queries: [{ expr: `${highest(metrics.paused, ['reason'])} == 1`, legend: '{{reason}}' }],
          steps: ['orange'],
          noValue: 'not paused',
          emptyWhen: 'Compiling waits for nothing.',
        }),
        figure({
          title: 'Dead letters',
          description: 'Messages parked for a person, all groups together; above 0, run `dlq list`.',
          unit: 'locale',
          more: topicDetails,
          width: 4,
          queries: [{ expr: `sum(${highest(metrics.deadLetters, ['topic', 'group'])})`, legend: 'parked' }],
          steps: ['green', [1, 'red']],
        }),
        figure({
          title: 'Free disk space',
          description:
            'What is left where the fullest data directory lies; worry below 5 GiB, since a full disk stops capture.',
          unit: 'bytes',
          more: captureDetails,
          width: 4,
          queries: [{ expr: `min(${series(metrics.dataFree)})`, legend: 'free' }],
          steps: ['red', [2 * 2 ** 30, 'orange'], [5 * 2 ** 30, 'green']],
        }),
      ],
    },
  ],
};

const growth: Row = {
  title: 'Does the dataset grow?',
  lines: [
    {
      height: 8,
      panels: [
        bars({
          title: 'From rows to pairs',
          description:
            'What came in and what became of it in the time shown; worry where a step stays at 0 while the one above it grows.',
          unit: 'locale',
          width: 10,
          decimals: 0,
          queries: [
            { expr: total(metrics.rows), legend: 'Rows stored' },
            { expr: total(metrics.closes), legend: 'Parts of sessions closed' },
            { expr: total(metrics.trajectories), legend: 'Trajectories compiled' },
            { expr: total(metrics.pairs, [], accepted), legend: 'Pairs accepted' },
          ],
        }),
        lines({
          title: 'Pairs accepted per hour',
          description:
            'Pairs that were proved or passed in the hour before each point; worry when it falls to 0 while rows come.',
          unit: 'suffix:pairs/h',
          more: qualityDetails,
          width: 10,
          min: 0,
          queries: [{ expr: perHour(metrics.pairs, [], accepted), legend: 'Accepted' }],
        }),
        figureNow({
          title: 'Dataset size',
          description:
            'Pairs in force without duplicates, and those that a gate refused; worry when pairs stop growing while rows come.',
          unit: 'locale',
          width: 4,
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

const money: Row = {
  title: 'What does it cost?',
  lines: [
    {
      height: 4,
      panels: [
        figure({
          title: 'Spent today',
          description: 'Spent since midnight UTC, calls that may have been billed included; worry near the cap.',
          unit: 'currencyUSD',
          more: costDetails,
          width: 6,
          queries: [{ expr: highest(metrics.budgetSpent, [], { scope: 'day' }), legend: 'today' }],
          ...noModel,
        }),
        figure({
          title: 'Share of today’s budget',
          description: 'Spent and reserved of the cap of the day; at 100 % compiling pauses until midnight UTC.',
          unit: 'percentunit',
          more: costDetails,
          width: 6,
          min: 0,
          queries: [
            {
              expr: `(${highest(metrics.budgetSpent, [], { scope: 'day' })} + ${highest(metrics.budgetReserved, [], { scope: 'day' })}) / (${highest(metrics.budgetLimit, [], { scope: 'day' })} > 0)`,
              legend: 'used',
            },
          ],
          steps: ['green', [0.8, 'orange'], [1, 'red']],
          noValue: 'no daily cap',
          emptyWhen: 'No cap of the day is set, or no model is called.',
        }),
        figure({
          title: 'Projected for today',
          description: 'What today will cost at its pace so far; worry when it is above the cap of the day.',
          unit: 'currencyUSD',
          more: costDetails,
          width: 6,
          queries: [{ expr: recorded('tc:projected_day_cost_usd'), legend: 'today' }],
          ...noModel,
        }),
        figure({
          title: 'Cost of an accepted pair',
          description: 'Cost of all calls of the last day over the pairs accepted in it; worry when it climbs.',
          unit: 'currencyUSD',
          more: costDetails,
          width: 6,
          queries: [{ expr: recorded('tc:cost_per_accepted_pair_usd:1d'), legend: 'a pair' }],
          ...noPairsPaid,
        }),
      ],
    },
  ],
};

const waiting: Row = {
  title: 'Where does it wait?',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'How late',
          description:
            'Seconds from the server to capture and from a topic to its slowest reader; worry about a line that only climbs.',
          unit: 's',
          more: captureDetails,
          width: 8,
          min: 0,
          queries: [
            { expr: highest(metrics.lagSeconds), legend: 'Behind the source' },
            { expr: highest(metrics.watermarkDelay), legend: 'Watermark behind the clock' },
            { expr: highest(metrics.topicAge, ['group']), legend: 'Oldest message for {{group}}' },
          ],
        }),
        lines({
          title: 'Messages that wait',
          description: 'Messages each group has not finished; worry about a group whose line only climbs.',
          unit: 'short',
          more: topicDetails,
          width: 8,
          min: 0,
          queries: [{ expr: highest(metrics.topicDepth, ['topic', 'group']), legend: '{{topic}} for {{group}}' }],
        }),
        lines({
          title: 'In flight',
          description:
            'Trajectories being compiled and model calls under way; worry when both are 0 while messages wait.',
          unit: 'short',
          more: qualityDetails,
          width: 8,
          min: 0,
          queries: [
            { expr: summed(metrics.inFlight), legend: 'Trajectories' },
            { expr: summed(metrics.modelInFlight), legend: 'Model calls' },
          ],
          noValue: 'nothing compiled yet',
          emptyWhen: 'Model calls are missing where no model is called.',
        }),
      ],
    },
  ],
};

const running: Row = {
  title: 'What runs, and what fires',
  lines: [
    {
      height: 7,
      panels: [
        rows({
          title: 'Firing alerts',
          description: 'The alerts that fire, by severity; each has a runbook of its name that says what to do.',
          unit: 'none',
          width: 12,
          queries: [
            { expr: `sort_desc(count by (alertname, severity) (${firing()}))`, legend: '{{alertname}} {{severity}}' },
          ],
          columns: { alertname: 'Alert', severity: 'Severity', Value: 'Firing' },
          hidden: ['Time'],
          noValue: 'nothing fires',
          emptyWhen: 'No alert fires.',
        }),
        rows({
          title: 'Processes',
          description:
            'Each process with its roles, its version and how long it runs; worry about versions that differ.',
          unit: 's',
          width: 12,
          queries: [
            {
              expr: `(time() - ${named('process_start_time_seconds')}) * on (job, instance) group_right () (${series(metrics.roles)} * on (job, instance) group_left (version, node) ${series(metrics.buildInfo)})`,
              legend: '{{instance}} {{role}}',
            },
          ],
          columns: { instance: 'Instance', role: 'Role', version: 'Version', node: 'Node.js', Value: 'Runs for' },
          hidden: ['Time', 'job', 'until'],
        }),
      ],
    },
  ],
};

export const overview: DashboardSource = {
  uid: 'tc-overview',
  title: 'Overview',
  description: 'Whether the dataset grows, what it costs, and what is wrong.',
  rows: [wrong, growth, money, waiting, running],
};
