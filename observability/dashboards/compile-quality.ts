import { definitions as metrics } from '../../src/metrics/definitions.ts';
import type { DashboardSource, Row } from '../dashboard.ts';
import { bars, distribution, events, lines } from '../panels.ts';
import { buckets, perHour, perInterval, quantile, recorded, summed, total } from '../queries.ts';

const outcome: Row = {
  title: 'What becomes of trajectories',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Trajectories compiled per hour',
          description:
            'Compiled in the hour before each point, with pairs and without; many without pairs is thin work.',
          unit: 'suffix:/h',
          width: 8,
          min: 0,
          stacked: true,
          queries: [{ expr: perHour(metrics.trajectories, ['outcome']), legend: '{{outcome}}' }],
        }),
        lines({
          title: 'Segments per hour',
          description:
            'Segments by what came of them in the hour before each point; many failed ones have their reasons beside.',
          unit: 'suffix:/h',
          width: 8,
          min: 0,
          stacked: true,
          queries: [{ expr: perHour(metrics.segments, ['outcome']), legend: '{{outcome}}' }],
          noValue: 'no segment yet',
        }),
        bars({
          title: 'Why segments gave no pairs',
          description:
            'Segments of the time shown without pairs; unparsable, truncated and blocked are the model’s doing.',
          unit: 'locale',
          width: 8,
          decimals: 0,
          queries: [{ expr: `${total(metrics.segments, ['reason'], { reason: /.+/ })} > 0`, legend: '{{reason}}' }],
          noValue: 'all gave pairs',
          emptyWhen: 'Every segment gave pairs.',
        }),
      ],
    },
  ],
};

const pairs: Row = {
  title: 'Pairs',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Pairs per hour by outcome',
          description:
            'Proposed pairs by what became of them in the hour before each point; worry when rejected ones grow alone.',
          unit: 'suffix:pairs/h',
          width: 8,
          min: 0,
          stacked: true,
          queries: [{ expr: perHour(metrics.pairs, ['outcome']), legend: '{{outcome}}' }],
          noValue: 'no pair yet',
        }),
        bars({
          title: 'Accepted pairs by type',
          description:
            'Pairs of the time shown that were proved or passed, by kind of question; one kind alone is a poor dataset.',
          unit: 'locale',
          width: 8,
          decimals: 0,
          queries: [
            {
              expr: total(metrics.pairs, ['qa_type'], { outcome: /proved|pass/, qa_type: /.+/ }),
              legend: '{{qa_type}}',
            },
          ],
          noValue: 'no pair yet',
        }),
        bars({
          title: 'Rejections by reason',
          description:
            'Pairs of the time shown that a gate refused; a reason that jumps after a new model or prompt is its fault.',
          unit: 'locale',
          width: 8,
          decimals: 0,
          queries: [{ expr: `sort_desc(${total(metrics.rejections, ['reason'])} > 0)`, legend: '{{reason}}' }],
          noValue: 'none refused',
          emptyWhen: 'No pair was refused in the time shown.',
        }),
      ],
    },
    {
      height: 8,
      panels: [
        lines({
          title: 'Share of pairs rejected',
          description:
            'Refused by a gate of all proposed within the hour before; worry about a jump, not about the level.',
          unit: 'percentunit',
          width: 8,
          min: 0,
          max: 1,
          queries: [{ expr: recorded('tc:pair_rejection_ratio:1h'), legend: 'Rejected' }],
          noValue: 'no pair',
          emptyWhen: 'No pair was proposed within the hour before.',
        }),
        lines({
          title: 'Share of pairs that the verifier passes',
          description:
            'Passed of all that it judged within the hour before; below a half, the compiler’s model is too weak.',
          unit: 'percentunit',
          width: 8,
          min: 0,
          max: 1,
          queries: [{ expr: recorded('tc:verifier_pass_ratio:1h'), legend: 'Passed' }],
          noValue: 'nothing verified',
          emptyWhen: 'Rules compile, whose pairs no verifier is asked about, or it judged none within the hour before.',
        }),
        bars({
          title: 'Verdicts',
          description: 'Verdicts of the time shown with their reasons; exports take proved and passed pairs only.',
          unit: 'locale',
          width: 8,
          decimals: 0,
          queries: [{ expr: total(metrics.verdicts, ['status', 'reason']), legend: '{{status}} {{reason}}' }],
          noValue: 'no pair yet',
        }),
      ],
    },
  ],
};

const shape: Row = {
  title: 'Shape of accepted pairs',
  lines: [
    {
      height: 8,
      panels: [
        distribution({
          title: 'Supporting turns',
          description:
            'Accepted pairs of the time shown by how many turns their answer needs; only twos are easy questions.',
          width: 8,
          expr: buckets(metrics.pairTurns),
        }),
        distribution({
          title: 'Span',
          description:
            'Accepted pairs of the time shown by the turns from the first to the last they need; short spans test no long memory.',
          width: 8,
          expr: buckets(metrics.pairSpan),
        }),
        distribution({
          title: 'Share of a segment seen',
          description:
            'Segments of the time shown by how much of their text the compiler saw; bars left of 1 had text cut or collapsed.',
          width: 8,
          expr: buckets(metrics.shareSeen),
        }),
      ],
    },
  ],
};

const redaction: Row = {
  title: 'Redaction',
  lines: [
    {
      height: 8,
      panels: [
        bars({
          title: 'Values redacted by kind',
          description:
            'Values of the time shown that were replaced before a model or a sink saw them; none at all is suspicious.',
          unit: 'locale',
          width: 12,
          decimals: 0,
          queries: [{ expr: `sort_desc(${total(metrics.redactions, ['kind'])} > 0)`, legend: '{{kind}}' }],
          noValue: 'nothing was redacted',
          emptyWhen: 'The rows of the time shown hold nothing to redact, or redaction is off.',
        }),
        events({
          title: 'Redaction failures',
          description:
            'Trajectories and prompts that went nowhere since redaction failed or left something; any needs a person.',
          unit: 'short',
          width: 12,
          queries: [{ expr: perInterval(metrics.redactionFailures, ['code']), legend: '{{code}}' }],
        }),
      ],
    },
  ],
};

const speed: Row = {
  title: 'Speed and errors',
  lines: [
    {
      height: 8,
      panels: [
        lines({
          title: 'Duration by stage',
          description:
            '95th percentile of each stage; propose and verify wait for a model, the others should take milliseconds.',
          unit: 's',
          width: 6,
          min: 0,
          queries: [{ expr: quantile(0.95, metrics.stageDuration, ['stage']), legend: '{{stage}}' }],
          noValue: 'nothing was compiled',
        }),
        lines({
          title: 'Duration of a trajectory',
          description: 'From taking a trajectory to having compiled it; worry when it grows while calls do not.',
          unit: 's',
          width: 6,
          min: 0,
          queries: [
            { expr: quantile(0.5, metrics.compileDuration), legend: 'median' },
            { expr: quantile(0.95, metrics.compileDuration), legend: 'p95' },
          ],
          noValue: 'nothing was compiled',
        }),
        events({
          title: 'Compile errors',
          description:
            'Attempts that failed, by what follows and code; park puts a trajectory aside, stop ends the process.',
          unit: 'short',
          width: 6,
          queries: [{ expr: perInterval(metrics.compileErrors, ['kind', 'code']), legend: '{{kind}} {{code}}' }],
          noValue: 'no errors',
          emptyWhen: 'No attempt failed since the start of the processes.',
        }),
        lines({
          title: 'Trajectories in flight',
          description:
            'Trajectories being compiled in each process; 0 while messages wait means that compiling is paused.',
          unit: 'short',
          width: 6,
          min: 0,
          queries: [{ expr: summed(metrics.inFlight, ['instance']), legend: '{{instance}}' }],
          noValue: 'nothing compiled yet',
        }),
      ],
    },
  ],
};

export const compileQuality: DashboardSource = {
  uid: 'tc-compile-quality',
  title: 'Compile quality',
  description: 'What becomes of trajectories: pairs, refusals, verdicts, redaction, and how long it takes.',
  rows: [outcome, pairs, shape, redaction, speed],
};
