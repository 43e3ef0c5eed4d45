/** Prometheus as deploy/ sets it up, with its rules: only the addresses are others, and time passes more quickly. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { startPrometheus, type TestPrometheus } from '../../support/prometheus.ts';

interface Group {
  name: string;
  interval?: string;
  rules: { record?: string; alert?: string; expr: string; labels?: Record<string, string> }[];
}

interface Settings {
  global: Record<string, string>;
  scrape_configs: { job_name: string; scrape_timeout?: string; static_configs?: unknown; dns_sd_configs?: unknown }[];
}

const folder = fileURLToPath(new URL('../../../deploy/prometheus/', import.meta.url));
const scrapeEvery = '1s';

/** Targets by the service that they are in the composition. */
export async function startServer(targets: Readonly<Record<string, string>>): Promise<TestPrometheus> {
  const { scrape_configs: jobs, ...settings } = parse(readFileSync(join(folder, 'prometheus.yml'), 'utf8')) as Settings;
  const ours = jobs.filter(({ dns_sd_configs: found }) => found !== undefined);
  const scraped = ours.map(({ dns_sd_configs: _, scrape_timeout: _waits, ...job }) => ({
    ...job,
    static_configs: Object.entries(targets).map(([service, target]) => ({
      targets: [target],
      labels: { __meta_dns_name: service },
    })),
  }));
  const global = { ...settings.global, scrape_interval: scrapeEvery, evaluation_interval: scrapeEvery };
  const rules = ruleFiles().map(({ name, groups }) => {
    const hastened = groups.map(({ interval: _, ...group }) => group);
    return [`rules/${name}`, stringify({ groups: hastened })];
  });
  return await startPrometheus({
    'prometheus.yml': stringify({ ...settings, global, scrape_configs: scraped }),
    ...Object.fromEntries(rules),
  });
}

function ruleFiles(): { name: string; groups: Group[] }[] {
  const names = readdirSync(join(folder, 'rules')).filter((name) => name.endsWith('.yml'));
  return names.map((name) => ({
    name,
    ...(parse(readFileSync(join(folder, 'rules', name), 'utf8')) as { groups: Group[] }),
  }));
}

/** Every rule, as it is written. */
export const writtenRules = (): Group['rules'] =>
  ruleFiles().flatMap(({ groups }) => groups.flatMap(({ rules }) => rules));

/** Alerts that a unit test of promtool expects to fire. */
export function testedAlerts(): Set<string> {
  const names = readdirSync(join(folder, 'tests')).filter((name) => name.endsWith('.yml'));
  const files = names.map((name) => parse(readFileSync(join(folder, 'tests', name), 'utf8')) as UnitTests);
  const cases = files.flatMap(({ tests }) => tests.flatMap((test) => test.alert_rule_test ?? []));
  return new Set(
    cases.filter(({ exp_alerts: expected = [] }) => expected.length > 0).map(({ alertname }) => alertname),
  );
}

interface UnitTests {
  tests: { alert_rule_test?: { alertname: string; exp_alerts?: unknown[] }[] }[];
}
