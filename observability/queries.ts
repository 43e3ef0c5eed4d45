/**
 * What panels ask of Prometheus. Every selector is held to the job and the instances that are chosen in the dashboard.
 *
 * Counters of several processes are summed. A gauge is summed only where each process has a part of the whole; what every
 * process of a data directory reads for itself (topics, budgets, the dataset) is the same figure several times, so `max`.
 */
import type {
  CounterDefinition,
  Definition,
  GaugeDefinition,
  HistogramDefinition,
} from '../src/metrics/definitions.ts';

/** A string is equal to the label, a pattern matches all of it. */
type Where<L extends string> = Partial<Record<L, string | RegExp>>;
type By<L extends string> = readonly (L | 'instance')[];

const chosen = 'job=~"$job", instance=~"$instance"';
/** Of one interval that holds enough scrapes for a rate. */
const interval = '$__rate_interval';
const range = '$__range';

/** The series of a metric, by its name. */
export function named(name: string, where: Where<string> = {}): string {
  const matchers = Object.entries(where).map(([label, value]) =>
    value instanceof RegExp ? `${label}=~"${value.source}"` : `${label}="${value}"`,
  );
  return `${name}{${[chosen, ...matchers].join(', ')}}`;
}

export function series<L extends string>({ name }: Definition<L>, where: Where<NoInfer<L>> = {}): string {
  return named(name, where as Where<string>);
}

export function perSecond<L extends string>(
  counter: CounterDefinition<L>,
  by: By<NoInfer<L>> = [],
  where: Where<NoInfer<L>> = {},
): string {
  return `${over('sum', by)} (rate(${series(counter, where)}[${interval}]))`;
}

/** How much was counted between two points of a line. */
export function perInterval<L extends string>(
  counter: CounterDefinition<L>,
  by: By<NoInfer<L>> = [],
  where: Where<NoInfer<L>> = {},
): string {
  return `${over('sum', by)} (increase(${series(counter, where)}[${interval}]))`;
}

/** How much was counted in the hour before each point. */
export function perHour<L extends string>(
  counter: CounterDefinition<L>,
  by: By<NoInfer<L>> = [],
  where: Where<NoInfer<L>> = {},
): string {
  return `${over('sum', by)} (increase(${series(counter, where)}[1h]))`;
}

/** How much was counted in the time that the dashboard shows. */
export function total<L extends string>(
  counter: CounterDefinition<L>,
  by: By<NoInfer<L>> = [],
  where: Where<NoInfer<L>> = {},
): string {
  return `${over('sum', by)} (increase(${series(counter, where)}[${range}]))`;
}

/** A gauge of which each process has a part. */
export function summed<L extends string>(
  gauge: GaugeDefinition<L>,
  by: By<NoInfer<L>> = [],
  where: Where<NoInfer<L>> = {},
): string {
  return `${over('sum', by)} (${series(gauge, where)})`;
}

/** A gauge that several processes read of the same thing. */
export function highest<L extends string>(
  gauge: GaugeDefinition<L>,
  by: By<NoInfer<L>> = [],
  where: Where<NoInfer<L>> = {},
): string {
  return `${over('max', by)} (${series(gauge, where)})`;
}

/** A quantile of what a histogram saw in the five minutes before each point. */
export function quantile<L extends string>(
  q: number,
  { name }: HistogramDefinition<L>,
  by: By<NoInfer<L>> = [],
): string {
  return `histogram_quantile(${q}, ${over('sum', ['le', ...by])} (rate(${named(`${name}_bucket`)}[5m])))`;
}

/** How often each bucket was met in the time that the dashboard shows. */
export function buckets({ name }: HistogramDefinition<string>): string {
  return `sum by (le) (increase(${named(`${name}_bucket`)}[${range}]))`;
}

/** A recording rule: it has no instance any more. */
export function recorded(name: `tc:${string}`): string {
  return `max(${name}{job=~"$job"})`;
}

function over(aggregate: 'sum' | 'max', labels: readonly string[]): string {
  return labels.length === 0 ? aggregate : `${aggregate} by (${labels.join(', ')})`;
}
