/**
 * That dashboards and alerts work, without Grafana: a real Prometheus scrapes the real pipe under load and faults, and is
 * asked what every panel and every rule asks.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mayBeEmpty } from '../../observability/empty-when.ts';
import { definitions } from '../../src/metrics/definitions.ts';
import { createMetrics } from '../../src/metrics/registry.ts';
import { countIn } from '../e2e/pipe.ts';
import { describePrometheus, promtool } from '../support/prometheus.ts';
import { isFigure, type Shown, show, sinceThen } from './scenario/asking.ts';
import { readDashboards } from './scenario/dashboards.ts';
import { owner } from './scenario/parcels.ts';
import { playScenario, type Scenario } from './scenario/scenario.ts';
import { testedAlerts, writtenRules } from './scenario/server.ts';

let scenario: Scenario;
let shown: Map<string, Shown>;
const checked = { panels: 0, rules: 0 };

/** What does not happen in the scenario. */
const absent: Readonly<Record<string, string>> = {
  tc_source_history_rows: 'no history is read: the log was empty at the start',
  tc_source_history_estimated_rows: 'as above',
  tc_topic_partition_lag: 'the topics are embedded and have no partitions',
  tc_llm_model_shutdown_timestamp_seconds: 'the models of the tier have no end announced',
};
/** Panels that show those alone. */
const emptyPanels = [
  'tc-capture/Rows of history read',
  'tc-capture/Share of history read',
  'tc-cost/Days until a model is shut down',
  'tc-sinks-and-topics/Lag by partition',
];

/** Alerts whose time has come at the end; the others of what went wrong wait for theirs. */
const firing = ['AppendOnlyBroken'];
const waiting = ['DeadLetters', 'ModelErrorRatio', 'SinkFailing'];

const dashboards = readDashboards();
const query = (expr: string) => scenario.prometheus.query(expr);
const figure = async (expr: string) => (await query(expr))[0]?.value ?? Number.NaN;
// A scrape may be missed on a machine under load.
const sum = (selector: string) => figure(`sum(last_over_time(${selector}[5m]))`);
const highest = (selector: string) => figure(`max(last_over_time(${selector}[5m]))`);
const inDataset = (sql: string) => countIn(join(scenario.pipeline.dataDir, 'qa_pairs.sqlite'), sql);

describePrometheus('the pipe, scraped by a real Prometheus under load and faults', () => {
  beforeAll(async () => {
    scenario = await playScenario();
    const { prometheus, begun } = scenario;
    shown = new Map(
      await Promise.all(dashboards.map(async (one) => [one.uid, await show(one, prometheus, begun)] as const)),
    );
  }, 480_000);
  afterAll(async () => {
    await scenario?.stop();
    const tested = testedAlerts().size;
    process.stdout.write(
      `\npanels checked: ${checked.panels}, rules checked: ${checked.rules}, alerts tested: ${tested}\n`,
    );
  });

  it.each(dashboards.map(({ uid }) => uid))('every panel of %s shows something, or says why not', (uid) => {
    const { offered, panels, empty, noFigures } = shown.get(uid)!;
    const instance = Object.values(scenario.pipeline.targets).sort();
    expect(offered).toEqual({ job: ['trajectory-compiler'], instance });
    expect(empty.filter(({ panel }) => !emptyPanels.includes(panel))).toEqual([]);
    expect(noFigures).toEqual([]);
    checked.panels += panels;
  });

  it('panels that stay empty here are those that may be empty', () => {
    const empty = [...shown.values()].flatMap((each) => each.empty.map(({ panel }) => panel));
    expect([...new Set(empty)].sort()).toEqual(emptyPanels);
    for (const panel of emptyPanels) expect(mayBeEmpty, panel).toHaveProperty([panel]);
  });

  it('every rule is evaluated without an error, and what is to be recorded is', async () => {
    const rules = await scenario.prometheus.rules();
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    expect(rules).toHaveLength(writtenRules().length);
    for (const { name } of rules.filter(({ type }) => type === 'recording')) {
      const samples = await sinceThen(scenario.prometheus, name, scenario.begun);
      expect(samples.some(isFigure), name).toBe(true);
    }
    checked.rules = rules.length;
  });

  it('every series that a rule asks for is there, or does not apply', async () => {
    const asked = new Set(writtenRules().flatMap(({ expr }) => expr.match(/\btc[_:][\w:]+(\{[^}]*\})?/g) ?? []));
    const missing: string[] = [];
    for (const selector of asked) {
      const samples = await sinceThen(scenario.prometheus, selector, scenario.begun);
      if (samples.length === 0) missing.push(selector);
    }
    expect(missing.filter((selector) => !(selector.replace(/\{.*/, '') in absent))).toEqual([
      // There is money enough.
      'tc_compile_paused{reason="budget_exhausted"}',
    ]);
  });

  it('what went wrong is told, and nothing else; nothing critical ever', async () => {
    const inState = async (state: string) =>
      (await scenario.prometheus.rules()).flatMap((rule) => (rule.state === state ? [rule.name] : [])).sort();
    await expect.poll(() => inState('firing'), { timeout: 20_000 }).toEqual(firing);
    await expect.poll(() => inState('pending'), { timeout: 20_000 }).toEqual(waiting);
    const critical = 'ALERTS{alertstate="firing", severity="critical"}';
    expect(await sinceThen(scenario.prometheus, critical, scenario.begun)).toEqual([]);
  });

  it('figures of two processes add up to what the log, the dataset and the books hold', async () => {
    expect(await sum('tc_source_rows_total')).toBe(scenario.rows.length);
    expect(await sum('tc_parts_closed_total')).toBe(
      (await sum('tc_trajectories_compiled_total')) + (await highest('tc_topic_dead_letters')),
    );
    expect(await sum('tc_trajectories_compiled_total')).toBe(inDataset('SELECT count(*) FROM trajectories'));
    const accepted = inDataset("SELECT count(*) FROM qa_pairs WHERE verification IN ('pass', 'proved')");
    expect(await sum('tc_pairs_accepted_total')).toBe(accepted);
    expect(await sum('tc_pairs_total{outcome!="rejected"}')).toBe(inDataset('SELECT count(*) FROM qa_pairs'));
    expect(await sum('tc_pair_rejections_total')).toBe(inDataset('SELECT count(*) FROM rejections'));
    expect(await sum('tc_segments_total')).toBe(inDataset('SELECT count(*) FROM segments'));
    for (const sink of ['sqlite', 'supabase'])
      expect(await sum(`tc_sink_writes_total{sink="${sink}", outcome="ok"}`), sink).toBe(
        await sum('tc_trajectories_compiled_total'),
      );
  });

  it('what models cost is what the calls cost, and no more than what is counted as spent', async () => {
    const cost = await sum('tc_llm_cost_usd_total');
    const calls = join(scenario.pipeline.dataDir, 'calls.sqlite');
    expect(cost).toBeGreaterThan(0);
    expect(cost).toBeCloseTo(countIn(calls, "SELECT sum(call ->> '$.costUsd') FROM calls"), 9);
    expect(await sum('tc_llm_requests_total')).toBe(countIn(calls, 'SELECT count(*) FROM calls'));
    const spent = await highest('tc_budget_spent_usd{scope="month"}');
    expect(spent).toBeGreaterThanOrEqual(cost - 1e-9);
    // Midnight may lie between.
    expect(await highest('tc_budget_spent_usd{scope="day"}')).toBeLessThanOrEqual(spent + 1e-9);
  });

  it('what panels show for the whole time is what happened in it', async () => {
    const funnel = ['tc_source_rows_total', 'tc_parts_closed_total', 'tc_trajectories_compiled_total'];
    const counters = [...funnel, 'tc_pairs_accepted_total', 'tc_llm_cost_usd_total', 'tc_llm_tokens_total'];
    for (const counter of counters) {
      const happened = await sum(counter);
      // Prometheus reckons what lies before the first scrape and after the last.
      const reckoned = (await figure(`sum(increase(${counter}[6h]))`)) / happened;
      expect(Math.abs(reckoned - 1), `${counter}: ${reckoned} of ${happened}`).toBeLessThan(0.1);
    }
  });

  it('promtool finds nothing against the pages', async () => {
    for (const page of await scenario.pipeline.pages()) {
      // Two gauges of prom-client’s own are called totals.
      const stdin = page.replaceAll(/^.*\bnodejs_active_\w+_total\b.*\n/gm, '');
      expect(await promtool(['check', 'metrics'], { stdin })).toEqual({ code: 0, output: '' });
    }
  });

  it('every metric is one of the table or of Node.js, and each of the table is there that applies', async () => {
    const known = new Set(
      createMetrics('')
        .registry.getMetricsAsArray()
        .map(({ name }) => name),
    );
    const pages = (await scenario.pipeline.pages()).join('\n');
    const told = new Set([...pages.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name!));
    expect([...told].filter((name) => !known.has(name))).toEqual([]);
    const withSeries = new Set((await series()).map(({ __name__: name }) => baseName(name)));
    const without = Object.values(definitions).filter(({ name }) => !withSeries.has(name));
    expect(without.map(({ name }) => name).sort()).toEqual(Object.keys(absent).sort());
  });

  it('no label holds anything of a row, and each has the values that the table names', async () => {
    const byName = new Map(Object.values(definitions).map((definition) => [definition.name as string, definition]));
    const rowTexts = [...new Set(scenario.rows.map((row) => row.session_id)), ...Object.values(owner)];
    for (const { __name__: name, job: _, instance: _at, service: _of, le: _bucket, ...own } of await series()) {
      const described: Readonly<Record<string, { values?: readonly string[] }>> =
        byName.get(baseName(name))?.labels ?? {};
      for (const [label, value] of Object.entries(own)) {
        const said = `${name}{${label}="${value}"}`;
        expect(
          rowTexts.filter((text) => value.includes(text)),
          said,
        ).toEqual([]);
        // Keys of rows are numbers.
        if (label in described) expect(value, said).not.toMatch(/^\d+$/);
        const { values } = described[label] ?? {};
        if (values !== undefined) expect(values, said).toContain(value);
      }
    }
  });
});

/** Every series that there was. */
async function series(): Promise<({ __name__: string } & Record<string, string>)[]> {
  return (await scenario.prometheus.get('series?match[]={job="trajectory-compiler"}')) as never;
}

function baseName(name: string): string {
  return name.replace(/_(bucket|sum|count)$/, '');
}
