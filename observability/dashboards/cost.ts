import { definitions as metrics } from '../../src/metrics/definitions.ts';
import type { DashboardSource, Row } from '../dashboard.ts';
import { bars, distribution, figure, figureNow, lines } from '../panels.ts';
import { buckets, highest, perHour, recorded, total } from '../queries.ts';
import { noModel, noPairsPaid } from '../reasons.ts';
import { calls, limits } from './calls.ts';

const glance: Row = {
  title: 'At a glance',
  lines: [
    {
      height: 4,
      panels: [
        figure({
          title: 'Spent today',
          description: 'Spent since midnight UTC, calls that may have been billed included; worry near the cap.',
          unit: 'currencyUSD',
          width: 4,
          queries: [{ expr: highest(metrics.budgetSpent, [], { scope: 'day' }), legend: 'today' }],
          ...noModel,
        }),
        figure({
          title: 'Spent this month',
          description: 'Spent since the first of the month, UTC; worry near the cap.',
          unit: 'currencyUSD',
          width: 4,
          queries: [{ expr: highest(metrics.budgetSpent, [], { scope: 'month' }), legend: 'this month' }],
          ...noModel,
        }),
        figure({
          title: 'Projected for today',
          description: 'What today will cost at its pace so far; worry when it is above the cap of the day.',
          unit: 'currencyUSD',
          width: 4,
          queries: [{ expr: recorded('tc:projected_day_cost_usd'), legend: 'today' }],
          ...noModel,
        }),
        figure({
          title: 'Projected for this month',
          description: 'What this month will cost at its pace so far; worry when it is above the cap of the month.',
          unit: 'currencyUSD',
          width: 4,
          queries: [{ expr: recorded('tc:projected_month_cost_usd'), legend: 'this month' }],
          ...noModel,
        }),
        figure({
          title: 'Cost of an accepted pair',
          description: 'Cost of all calls of the last day over the pairs accepted in it; worry when it climbs.',
          unit: 'currencyUSD',
          width: 4,
          queries: [{ expr: recorded('tc:cost_per_accepted_pair_usd:1d'), legend: 'a pair' }],
          ...noPairsPaid,
        }),
        figureNow({
          title: 'Calls of unknown cost',
          description:
            'Calls in the time shown that no figure here counts; above 0, a model has no price, which the settings can give, or calls break off.',
          unit: 'locale',
          width: 4,
          decimals: 0,
          queries: [{ expr: `${total(metrics.modelCostUnknown)} or vector(0)`, legend: 'calls' }],
          steps: ['green', [1, 'orange']],
        }),
      ],
    },
  ],
};

const budget: Row = {
  title: 'Against the budget',
  lines: [
    {
      height: 8,
      panels: [
        ...(['day', 'month'] as const).map((scope) =>
          lines({
            title: `Budget of the ${scope}`,
            description: `Spent, reserved and projected for the current ${scope}, UTC, and its cap; worry when the projection is above it.`,
            unit: 'currencyUSD',
            width: 8,
            min: 0,
            queries: [
              { expr: highest(metrics.budgetLimit, [], { scope }), legend: 'Cap' },
              { expr: highest(metrics.budgetSpent, [], { scope }), legend: 'Spent' },
              { expr: recorded(`tc:projected_${scope}_cost_usd`), legend: 'Projected' },
              { expr: highest(metrics.budgetReserved, [], { scope }), legend: 'Reserved for calls in flight' },
            ],
            noValue: 'no model is called',
            emptyWhen: `No cap of the ${scope} is set, or no model is called.`,
          }),
        ),
        bars({
          title: 'Share of the budget used',
          description: 'Spent of the cap of the day and of the month; from 80 % on, raise the cap or expect a pause.',
          unit: 'percentunit',
          width: 8,
          max: 1,
          queries: [
            {
              expr: `${highest(metrics.budgetSpent, ['scope'])} / (${highest(metrics.budgetLimit, ['scope'])} > 0)`,
              legend: 'this {{scope}}',
            },
          ],
          steps: ['green', [0.8, 'orange'], [1, 'red']],
          noValue: 'no cap',
          emptyWhen: 'No cap is set, or no model is called.',
        }),
      ],
    },
  ],
};

const shares: Row = {
  title: 'Where it goes',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Cost per hour by model and stage',
          description:
            'Cost of the calls in the hour before each point; worry about a line that climbs without more pairs.',
          unit: 'currencyUSD',
          width: 12,
          min: 0,
          stacked: true,
          queries: [{ expr: perHour(metrics.modelCost, ['model', 'stage']), legend: '{{model}} {{stage}}' }],
          ...noModel,
        }),
        lines({
          title: 'Cost of an accepted pair over time',
          description:
            'Cost of all calls of the day before each point over the pairs accepted in it; a step up follows a new model or prompt.',
          unit: 'currencyUSD',
          width: 12,
          min: 0,
          queries: [{ expr: recorded('tc:cost_per_accepted_pair_usd:1d'), legend: 'A pair' }],
          ...noPairsPaid,
        }),
      ],
    },
    {
      height: 8,
      panels: [
        bars({
          title: 'Cost by model and stage',
          description: 'Cost in the time shown; worry when one of them grows and the others do not.',
          unit: 'currencyUSD',
          width: 8,
          queries: [{ expr: total(metrics.modelCost, ['model', 'stage']), legend: '{{model}} {{stage}}' }],
          ...noModel,
        }),
        bars({
          title: 'Cost by agent group',
          description:
            'Cost in the time shown by whose sessions were compiled; worry about a group that takes most of it for few pairs.',
          unit: 'currencyUSD',
          width: 8,
          queries: [{ expr: total(metrics.agentCost, ['agent_group']), legend: '{{agent_group}}' }],
          ...noModel,
        }),
        bars({
          title: 'Cost by service tier',
          description: 'Cost in the time shown by the tier that answered; the flexible tier costs half.',
          unit: 'currencyUSD',
          width: 8,
          queries: [{ expr: total(metrics.modelCost, ['tier']), legend: '{{tier}}' }],
          ...noModel,
        }),
      ],
    },
    {
      height: 8,
      panels: [
        bars({
          title: 'Cost of an accepted pair by agent group',
          description:
            'Cost in the time shown over the pairs accepted in it; a group far above the others gives little for its money.',
          unit: 'currencyUSD',
          width: 8,
          queries: [
            {
              expr: `${total(metrics.agentCost, ['agent_group'])} / (${total(metrics.acceptedPairs, ['agent_group'])} > 0)`,
              legend: '{{agent_group}}',
            },
          ],
          noValue: 'no pair was paid for',
          emptyWhen: 'No model is called, or none of its pairs was accepted in the time shown.',
        }),
        bars({
          title: 'Accepted pairs by agent group',
          description: 'Pairs proved or passed in the time shown; a group at 0 although it works is worth a look.',
          unit: 'locale',
          width: 8,
          decimals: 0,
          queries: [{ expr: total(metrics.acceptedPairs, ['agent_group']), legend: '{{agent_group}}' }],
          noValue: 'no pair accepted yet',
          emptyWhen: 'No pair was accepted yet: agents’ names are not known before the first one.',
        }),
        distribution({
          title: 'How much accepted pairs cost',
          description:
            'Accepted pairs of the time shown by cost, each bar up to so many US dollars; a tail to the right is dear sessions.',
          width: 8,
          expr: buckets(metrics.pairCost),
        }),
      ],
    },
  ],
};

export const cost: DashboardSource = {
  uid: 'tc-cost',
  title: 'Cost',
  description: 'What models cost, for whom, for what, and what it will come to.',
  rows: [glance, budget, shares, calls, limits],
};
