/** The rows of the dashboard of cost that tell of calls rather than of money. */
import { definitions as metrics } from '../../src/metrics/definitions.ts';
import type { Row } from '../dashboard.ts';
import { bars, events, lines, states } from '../panels.ts';
import { perInterval, perSecond, quantile, recorded, series, summed } from '../queries.ts';
import { noAnnouncement, noModel } from '../reasons.ts';

export const calls: Row = {
  title: 'Calls',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Tokens per second',
          description:
            'Tokens by kind; cached input is the cheap kind, and thinking that outgrows output is worth a lower level.',
          unit: 'suffix:tokens/s',
          width: 8,
          min: 0,
          stacked: true,
          queries: [{ expr: perSecond(metrics.modelTokens, ['type']), legend: '{{type}}' }],
          ...noModel,
        }),
        lines({
          title: 'Calls per second by outcome',
          description: 'Model calls by stage and what came of them; worry when anything but ok is more than a few.',
          unit: 'reqps',
          width: 8,
          min: 0,
          queries: [{ expr: perSecond(metrics.modelCalls, ['stage', 'outcome']), legend: '{{stage}} {{outcome}}' }],
          ...noModel,
        }),
        lines({
          title: 'Share of calls that fail',
          description:
            'Of the calls of the last 15 minutes; worry above 5 %, since retries cost time and sometimes money.',
          unit: 'percentunit',
          width: 8,
          min: 0,
          queries: [{ expr: recorded('tc:llm_error_ratio:15m'), legend: 'Failing' }],
          steps: ['green', [0.05, 'orange'], [0.25, 'red']],
          ...noModel,
        }),
      ],
    },
    {
      height: 8,
      panels: [
        events({
          title: 'Retries',
          description: 'Calls made because the one before had failed, by why; many of one reason name the trouble.',
          unit: 'short',
          width: 8,
          queries: [{ expr: perInterval(metrics.modelRetries, ['model', 'reason']), legend: '{{model}} {{reason}}' }],
          noValue: 'no retries',
          emptyWhen: 'No call had to be made again.',
        }),
        lines({
          title: 'Duration of calls',
          description:
            'Median and 95th percentile by model and stage; worry when the upper one nears the call’s timeout.',
          unit: 's',
          width: 8,
          min: 0,
          queries: [
            { expr: quantile(0.5, metrics.modelDuration, ['model', 'stage']), legend: '{{model}} {{stage}}, median' },
            { expr: quantile(0.95, metrics.modelDuration, ['model', 'stage']), legend: '{{model}} {{stage}}, p95' },
          ],
          ...noModel,
        }),
        lines({
          title: 'Calls in flight and waiting',
          description:
            'Calls under way and calls held back by a limit; many waiting for long means a limit is too low.',
          unit: 'short',
          width: 8,
          min: 0,
          queries: [
            { expr: summed(metrics.modelInFlight, ['model']), legend: '{{model}} in flight' },
            { expr: summed(metrics.modelWaiting, ['model']), legend: '{{model}} waiting' },
          ],
          ...noModel,
        }),
      ],
    },
  ],
};

const breaker = (state: string) => series(metrics.modelBreaker, { state });

export const limits: Row = {
  title: 'Limits and models',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Share of limits used',
          description:
            'How much of each limit of a process is used; at 100 % for long, that limit is what slows compiling.',
          unit: 'percentunit',
          width: 8,
          min: 0,
          queries: [
            {
              expr: `max by (model, limit) (${series(metrics.modelLimitUsed)} / ${series(metrics.modelLimit)})`,
              legend: '{{model}} {{limit}}',
            },
          ],
          ...noModel,
        }),
        states({
          title: 'Breaker',
          description:
            'Whether calls reach a model; open means that it failed too often and nothing is sent for a while.',
          unit: 'none',
          width: 8,
          queries: [
            {
              expr: `max by (model) (2 * ${breaker('open')} + ignoring (state) ${breaker('half_open')})`,
              legend: '{{model}}',
            },
          ],
          mappings: {
            0: { text: 'closed', color: 'green' },
            1: { text: 'half open', color: 'yellow' },
            2: { text: 'open', color: 'red' },
          },
          ...noModel,
        }),
        bars({
          title: 'Days until a model is shut down',
          description:
            'Days until the provider shuts a model down; below 30, set another one and compare its pairs first.',
          unit: 'd',
          width: 8,
          decimals: 0,
          max: 365,
          queries: [
            {
              expr: `(min by (provider, model) (${series(metrics.modelShutdown)}) - time()) / 86400`,
              legend: '{{model}} ({{provider}})',
            },
          ],
          steps: ['red', [30, 'orange'], [90, 'green']],
          ...noAnnouncement,
        }),
      ],
    },
  ],
};
