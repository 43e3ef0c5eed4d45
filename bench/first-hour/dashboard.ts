/** What the stats of a dashboard would show, asked of a Prometheus: as a table. */
import { readFileSync } from 'node:fs';
import type { TestPrometheus } from '../../test/support/prometheus.ts';

interface Panel {
  type: string;
  title: string;
  targets?: { expr: string; legendFormat?: string }[];
}

const values: Record<string, string> = { $job: '.*', $instance: '.*', $__range: '1h', $__rate_interval: '1m' };

/** Rows of `| panel | series | value |`. */
export async function statsOf(path: string, prometheus: Pick<TestPrometheus, 'query'>): Promise<string[]> {
  const { panels } = JSON.parse(readFileSync(path, 'utf8')) as { panels: Panel[] };
  const rows: string[] = [];
  for (const { type, title, targets = [] } of panels) {
    if (type !== 'stat' && type !== 'bargauge') continue;
    for (const { expr, legendFormat = '' } of targets) {
      const samples = await prometheus.query(expr.replaceAll(/\$\w+/g, (name) => values[name] ?? name));
      const shown = samples.map(({ labels, value }) => `${legend(legendFormat, labels)} ${figure(value)}`.trim());
      rows.push(`| ${title} | ${shown.length === 0 ? 'no data' : shown.join(', ')} |`);
    }
  }
  return rows;
}

function legend(format: string, labels: Record<string, string>): string {
  return format === '__auto' ? '' : format.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '');
}

function figure(value: number): string {
  // Increases are extrapolated to the range: a count of 77 may come as 77.4.
  if (value >= 10) return Math.round(value).toLocaleString('en');
  return value.toLocaleString('en', { maximumSignificantDigits: 4 });
}
