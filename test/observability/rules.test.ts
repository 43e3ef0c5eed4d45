/** The rules of Prometheus by themselves: promtool's word, and that rules, unit tests, runbooks and metrics belong together. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import { metricsIn, recordedIn } from '../../observability/expressions.ts';
import { runCommandLine } from '../../src/cli/program.ts';
import { flagName, settingNames } from '../../src/config.ts';
import { type Definition, definitions } from '../../src/metrics/definitions.ts';
import { createMetrics } from '../../src/metrics/registry.ts';
import { describePrometheus, promtool } from '../support/prometheus.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(repository, 'deploy', 'prometheus');
const runbooks = join(repository, 'docs', 'runbooks');

interface Rule {
  alert?: string;
  record?: string;
  expr: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}
interface UnitTest {
  name: string;
  input_series: { series: string; values: string }[];
  alert_rule_test?: { alertname: string; exp_alerts: { exp_labels: Record<string, string> }[] }[];
  promql_expr_test?: { expr: string }[];
}

const inFolder = (name: string) =>
  readdirSync(join(folder, name))
    .filter((file) => file.endsWith('.yml'))
    .map((file) => join(name, file));
const read = (path: string) => readFileSync(join(folder, path), 'utf8');
const rules = inFolder('rules').flatMap((path) =>
  (parse(read(path)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules),
);
const alerts = rules.filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);
const recorded = rules.flatMap(({ record = [] }) => record);
const unitTests = inFolder('tests').flatMap((path) => (parse(read(path)) as { tests: UnitTest[] }).tests);
const pages = readdirSync(runbooks).filter((file) => file !== 'README.md');
const page = (file: string) => readFileSync(join(runbooks, file), 'utf8');

describePrometheus('promtool', () => {
  it('finds nothing wrong with the configuration and the rules', async () => {
    expect(await promtool(['check', 'config', join(folder, 'prometheus.yml')])).toMatchObject({ code: 0 });
    expect(await promtool(['check', 'rules', ...inFolder('rules')], { cwd: folder })).toMatchObject({ code: 0 });
  });

  it.each(inFolder('tests'))('sees alerts fire when they should, and not when they should not: %s', async (file) => {
    const { code, output } = await promtool(['test', 'rules', file], { cwd: folder });
    expect(output).not.toContain('FAILED');
    expect(code).toBe(0);
  });
});

test('unit tests evaluate every group of rules, those first that others read', () => {
  const groups = inFolder('rules').flatMap((path) => {
    const names = (parse(read(path)) as { groups: { name: string }[] }).groups.map(({ name }) => name);
    return names.map((name) => ({ name, first: path.endsWith('recording.yml') }));
  });
  const inOrder = groups.toSorted((a, b) => Number(b.first) - Number(a.first)).map(({ name }) => name);
  for (const path of inFolder('tests')) {
    const { rule_files: files, group_eval_order: order } = parse(read(path)) as Record<string, string[]>;
    expect(order, path).toEqual(files?.length === 1 ? undefined : inOrder);
  }
});

describe('every alert', () => {
  test.each(alerts.map((rule) => [rule.alert, rule] as const))(
    '%s says how grave, what and what to do',
    (name, rule) => {
      expect(['critical', 'warning', 'info']).toContain(rule.labels?.severity);
      const { summary = '', description = '', runbook } = rule.annotations ?? {};
      expect(summary).toContain('{{ $labels.');
      expect(description.length).toBeGreaterThan(80);
      expect(runbook).toBe(`docs/runbooks/${name}.md`);
    },
  );

  test.each(alerts.map(({ alert }) => [alert]))(
    '%s has a unit test in which it fires and one in which it does not',
    (name) => {
      const cases = unitTests.flatMap((unit) =>
        (unit.alert_rule_test ?? [])
          .filter(({ alertname }) => alertname === name)
          .map(({ exp_alerts: expected }) => ({ unit, jobs: expected.map(({ exp_labels: labels }) => labels.job) })),
      );
      expect(cases.some(({ jobs }) => jobs.length > 0)).toBe(true);
      const jobsOf = ({ input_series: series }: UnitTest) => series.map((one) => /job="([^"]+)"/.exec(one.series)?.[1]);
      expect(cases.some(({ unit, jobs }) => jobsOf(unit).some((job) => !jobs.includes(job)))).toBe(true);
    },
  );

  test('has a runbook, every runbook is of an alert, and the index has all of them with their severity', () => {
    expect(pages.sort()).toEqual(alerts.map(({ alert }) => `${alert}.md`).sort());
    const index = page('README.md');
    for (const { alert, labels } of alerts)
      expect(index).toContain(`| [${alert}](${alert}.md) | ${labels?.severity} |`);
    expect(index.match(/^\| \[/gm)).toHaveLength(alerts.length);
  });
});

describe('what the rules and their runbooks name', () => {
  const registered = new Set(
    createMetrics('0.0.0')
      .registry.getMetricsAsArray()
      .map(({ name }) => name),
  );
  const texts: [string, string][] = [
    ...rules.map(({ alert, record, expr, annotations = {} }): [string, string] => [
      alert ?? record ?? '',
      [expr, ...Object.values(annotations)].join('\n'),
    ]),
    ...unitTests.map(({ name, input_series: series, promql_expr_test: asked = [] }): [string, string] => [
      name,
      [...series.map((one) => one.series), ...asked.map(({ expr }) => expr)].join('\n'),
    ]),
    ...pages.map((file): [string, string] => [file, page(file)]),
  ];

  test('metrics are metrics of the registry, and recorded series are recorded', () => {
    for (const [where, text] of texts) {
      for (const name of metricsIn(text)) expect(registered, `${where}: ${name}`).toContain(name);
      for (const name of recordedIn(text)) expect(recorded, `${where}: ${name}`).toContain(name);
    }
  });

  test('labels are labels of their metric, with values that they can have', () => {
    const byName = new Map(Object.values(definitions).map((definition: Definition) => [definition.name, definition]));
    let matchers = 0;
    for (const [where, text] of texts)
      for (const [, series = '', inside = ''] of text.matchAll(/\b(tc_[a-z0-9_]+)\{([^{}]*)\}/g)) {
        const labels = byName.get(series)?.labels ?? byName.get(series.replace(/_(bucket|sum|count)$/, ''))?.labels;
        for (const [, label = '', value = ''] of inside.matchAll(/(\w+)\s*(?:!=|=~|!~|=)\s*"([^"]*)"/g)) {
          if (['job', 'instance'].includes(label)) continue;
          matchers += 1;
          expect(Object.keys(labels ?? {}), `${where}: ${series}`).toContain(label);
          const values = labels?.[label]?.values;
          if (values !== undefined)
            expect(values, `${where}: ${series}{${label}}`).toEqual(expect.arrayContaining(value.split('|')));
        }
      }
    expect(matchers).toBeGreaterThan(40);
  });

  test('settings are settings', () => {
    const groups = new Set(settingNames.flatMap((name) => name.split('.').slice(0, -1)));
    let named = 0;
    for (const [where, text] of texts)
      for (const [name, group = ''] of text.matchAll(/(?<![\w/.-])([a-z]+)\.[a-z][a-zA-Z]+\b(?![/.(-])/g)) {
        if (!groups.has(group) || /\.(sqlite|ts|md|yml|conf|key)$/.test(name)) continue;
        named += 1;
        expect(settingNames, `${where}: ${name}`).toContain(name);
      }
    expect(named).toBeGreaterThan(40);
  });

  test('commands and their flags are those of the program', async () => {
    const lines = pages.flatMap((file) =>
      [...page(file).matchAll(/^\s*`?trajectory-compiler ([^#`\n]+)|`trajectory-compiler ([^`\n]+)`/gm)].map(
        ([, block, inline]) => ({ file, words: (block ?? inline ?? '').trim().split(/\s+/) }),
      ),
    );
    expect(lines.length).toBeGreaterThan(20);
    const flagsOfSettings = settingNames.map(flagName);
    for (const { file, words } of lines) {
      const command = words.slice(0, words[0] === 'dlq' || words[0] === 'config' ? 2 : 1);
      let help = '';
      const out = (text: string) => {
        help += text;
      };
      await runCommandLine([...command, '--help'], { env: {}, out, err: out, version: '0.0.0' });
      expect(help, `${file}: ${words.join(' ')}`).toContain(`Usage: trajectory-compiler ${command.join(' ')}`);
      for (const flag of words.filter((word) => word.startsWith('--')))
        if (!flagsOfSettings.includes(flag) && !['--json', '--shard'].includes(flag))
          expect(help, `${file}: ${words.join(' ')}`).toContain(flag);
    }
  });

  test('other pages are there', () => {
    for (const file of [...pages, 'README.md'])
      for (const [, link = ''] of page(file).matchAll(/\]\(([^)]+)\)/g))
        expect(existsSync(join(runbooks, link)), `${file}: ${link}`).toBe(true);
  });
});
