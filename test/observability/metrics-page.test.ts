import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { metricsIn } from '../../observability/expressions.ts';
import { metricsPage } from '../../observability/metrics-page.ts';
import { readRules } from '../../observability/rules.ts';
import { definitions } from '../../src/metrics/definitions.ts';

const page = metricsPage();

test('the page of metrics is what the code, the dashboards and the rules say', () => {
  expect(readFileSync('docs/metrics.md', 'utf8')).toBe(page);
});

test('it tells of every metric: what it means, its labels, and where it is seen', () => {
  for (const { name, help, kind, labels } of Object.values(definitions)) {
    const entry = entryOf(name);
    expect(entry).toContain(`${help} *${kind}, `);
    expect(entry).toMatch(/\n- (dashboards: |on no dashboard)/);
    for (const label of Object.keys(labels)) expect(entry).toContain(`\n- label \`${label}\`: `);
  }
});

test('it has the alerts that rest on a metric, also those that read it from a recording rule', () => {
  const { alerts, recorded } = readRules();
  const direct = alerts.find(({ alert }) => alert === 'DeadLetters');
  expect(direct?.metrics).toContain('tc_topic_dead_letters');
  expect(entryOf('tc_topic_dead_letters')).toContain('`DeadLetters`');

  const ratio = recorded.find(({ record }) => record === 'tc:pair_rejection_ratio:1h');
  expect([...metricsIn(ratio?.expr ?? '')]).toEqual(['tc_pairs_total']);
  expect(entryOf('tc_pairs_total')).toContain('`RejectionJump`');
});

test('every metric that an alert or a recording rule reads is one of this program, or another exporter’s', () => {
  const names = new Set<string>(Object.values(definitions).map(({ name }) => name));
  const { alerts, recorded } = readRules();
  const read = [
    ...alerts.flatMap(({ metrics }) => [...metrics]),
    ...recorded.flatMap(({ expr }) => [...metricsIn(expr)]),
  ];
  expect(read.filter((name) => name.startsWith('tc_') && !names.has(name))).toEqual([]);
});

test('names of OpenTelemetry stand beside those that have one', () => {
  const mapped = Object.values(definitions).filter((definition) => 'otel' in definition);
  expect(mapped.length).toBeGreaterThan(2);
  const mapping = page.slice(page.indexOf('## Names of OpenTelemetry'));
  for (const { name } of mapped) expect(mapping).toContain(`| \`${name}\` | `);
});

function entryOf(name: string): string {
  const [, rest = ''] = page.split(`\n### \`${name}\`\n`);
  return rest.split(/\n##/)[0] ?? '';
}
