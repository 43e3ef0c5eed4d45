/** The metrics of {@link definitions}, to be counted and set. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import {
  type CounterDefinition,
  type Definition,
  type Definitions,
  definitions,
  type GaugeDefinition,
  type HistogramDefinition,
} from './definitions.ts';

type Made<D> =
  D extends CounterDefinition<infer L>
    ? Counter<L>
    : D extends GaugeDefinition<infer L>
      ? Gauge<L>
      : D extends HistogramDefinition<infer L>
        ? Histogram<L>
        : never;

export type Metrics = { readonly [K in keyof Definitions]: Made<Definitions[K]> } & { readonly registry: Registry };

/** The event loop is looked at this often: each look wakes the process, and every 10 ms they cost 0.4 % of a core. */
const eventLoopEveryMs = 20;

/** Of one process. Series whose labels are known beforehand are there from the start: what was never counted is 0. */
export function createMetrics(version: string): Metrics {
  const registry = new Registry();
  const made = Object.fromEntries(
    Object.entries(definitions).map(([key, definition]) => [key, make(definition, registry)]),
  );
  const metrics = { ...made, registry } as Metrics;
  metrics.buildInfo.set({ version, node: process.versions.node }, 1);
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: eventLoopEveryMs });
  return metrics;
}

function make(definition: Definition, registry: Registry): Counter | Gauge | Histogram {
  const { name, help, labels } = definition;
  const labelNames = Object.keys(labels);
  const configuration = { name, help, labelNames, registers: [registry] };
  if (definition.kind === 'gauge') {
    const gauge = new Gauge(configuration);
    // Whoever has never looked knows nothing: 0 would be a statement.
    if (labelNames.length === 0) gauge.remove();
    return gauge;
  }
  if (definition.kind === 'histogram') {
    const histogram = new Histogram({ ...configuration, buckets: [...definition.buckets] });
    for (const series of knownSeries(definition)) histogram.zero(series);
    return histogram;
  }
  const counter = new Counter(configuration);
  for (const series of knownSeries(definition)) counter.inc(series, 0);
  return counter;
}

/** Every combination of labels where all values are known; none where one is not. */
function knownSeries({ labels }: Definition): Record<string, string>[] {
  let all: Record<string, string>[] = [{}];
  for (const [label, { values }] of Object.entries(labels)) {
    if (values === undefined) return [];
    all = all.flatMap((series) => values.map((value) => ({ ...series, [label]: value })));
  }
  return all;
}

/** Brings a counter to what somebody else has counted since the start of this process. */
export function countedElsewhere<L extends string>(
  counter: Counter<L>,
  totals: readonly { labels?: Partial<Record<L, string>>; total: number }[],
): void {
  counter.reset();
  for (const { labels = {}, total } of totals) counter.inc(labels, total);
}
