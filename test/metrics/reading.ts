/** What a scrape would read. */
import type { Metrics } from '../../src/metrics/registry.ts';

interface Sample {
  labels: Record<string, string | number>;
  value: number;
  /** Of a histogram: with `_bucket`, `_sum` or `_count`. */
  metricName?: string;
}

/** Series by the metric's name; a histogram's by those of its sums, counts and buckets. */
export async function samplesIn({ registry }: Metrics): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>();
  for (const { name, values } of await registry.getMetricsAsJSON()) {
    samples.set(name, samples.get(name) ?? []);
    for (const sample of values as Sample[]) {
      const of = sample.metricName ?? name;
      samples.set(of, [...(samples.get(of) ?? []), sample]);
    }
  }
  return samples;
}

/** The series of a metric that are not 0, as text: `ok,gemini 3`, labels in the order of their names. */
export async function counted(metrics: Metrics, name: string): Promise<string[]> {
  const samples = (await samplesIn(metrics)).get(name) ?? [];
  return samples.filter(({ value }) => value !== 0).map(textOf);
}

/** All of them, those at 0 too. */
export async function present(metrics: Metrics, name: string): Promise<string[]> {
  return ((await samplesIn(metrics)).get(name) ?? []).map(textOf);
}

function textOf({ labels, value }: Sample): string {
  const names = Object.keys(labels).sort();
  return [names.map((label) => labels[label]).join(','), Number(value.toFixed(9))]
    .filter((part) => part !== '')
    .join(' ');
}
