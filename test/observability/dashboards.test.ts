import { readFileSync } from 'node:fs';
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
import { describe, expect, test } from 'vitest';
import { absent } from '../../observability/absent.ts';
import { dashboards, panelsOf } from '../../observability/dashboards.ts';
import { mayBeEmpty } from '../../observability/empty-when.ts';
import { metricsIn, recordedIn } from '../../observability/expressions.ts';
import { generated } from '../../observability/generated.ts';
import { readRules } from '../../observability/rules.ts';
import { createMetrics } from '../../src/metrics/registry.ts';

const files = generated().filter(({ path }) => path.endsWith('.json'));
const rendered = files.map(({ text }) => JSON.parse(text) as Dashboard);
const registered = new Set(
  createMetrics('0.0.0')
    .registry.getMetricsAsArray()
    .map(({ name }) => name),
);
const expressions = dashboards.flatMap((dashboard) =>
  panelsOf(dashboard).flatMap(({ title, queries }) =>
    queries.map((query) => ({ ...query, at: `${dashboard.uid}/${title}` })),
  ),
);

test('the dashboards that Grafana is given are those that the code describes', () => {
  for (const { path, text } of files) expect(readFileSync(path, 'utf8'), path).toBe(text);
  expect(rendered.map(({ uid }) => uid)).toEqual([
    'tc-overview',
    'tc-cost',
    'tc-capture',
    'tc-compile-quality',
    'tc-sinks-and-topics',
  ]);
});

describe('metrics', () => {
  test('every metric on a dashboard is one that a process serves', () => {
    for (const { expr, at } of expressions)
      for (const name of metricsIn(expr)) expect(registered, `${at}: ${name}`).toContain(name);
  });

  test('every metric that a process serves is on a dashboard, or on the list of those that are not', () => {
    const shown = new Set(expressions.flatMap(({ expr }) => [...metricsIn(expr)]));
    const missing = [...registered].filter(
      (name) => !shown.has(name) && !absent.some(({ metrics }) => metrics.test(name)),
    );
    expect(missing).toEqual([]);
  });

  test('no metric is both on a dashboard and on the list of those that are not, and each entry of it is of some metric', () => {
    const shown = new Set(expressions.flatMap(({ expr }) => [...metricsIn(expr)]));
    for (const { metrics } of absent) {
      expect([...shown].filter((name) => metrics.test(name))).toEqual([]);
      expect(
        [...registered].some((name) => metrics.test(name)),
        metrics.source,
      ).toBe(true);
    }
  });

  test('only default metrics of the client library are left off', () => {
    const own = [...registered].filter((name) => name.startsWith('tc_'));
    expect(own.filter((name) => absent.some(({ metrics }) => metrics.test(name)))).toEqual([]);
  });

  test('every recording rule that a panel reads is written', () => {
    const written = new Set(readRules().recorded.map(({ record }) => record));
    for (const { expr, at } of expressions)
      for (const rule of recordedIn(expr)) expect(written, `${at}: ${rule}`).toContain(rule);
  });
});

describe('expressions', () => {
  test('every series is held to the job and, where it has one, to the instance that are chosen', () => {
    for (const { expr, at } of expressions) {
      for (const [, name, matchers] of selectors(expr)) {
        expect(matchers, `${at}: ${name}`).toMatch(/job=~"\$job\|?"/);
        // Rules are summed over instances.
        if (!name!.startsWith('tc:')) expect(matchers, `${at}: ${name}`).toMatch(/instance=~"\$instance\|?"/);
      }
      const selected = selectors(expr).map(([, name]) => name);
      const named = [...metricsIn(expr), ...recordedIn(expr)];
      // A name without braces would be a series that nobody filters.
      for (const name of named)
        expect(
          selected.some((one) => one!.startsWith(name)),
          `${at}: ${name}`,
        ).toBe(true);
    }
  });

  test('counters are read as rates or increases only: their own value ends with a restart', () => {
    for (const { expr, at } of expressions) {
      const counters = [...expr.matchAll(/(\S*)\b((?:tc|process)_\w+?_(?:total|bucket|sum|count))\{[^}]*\}(\[?)/g)];
      for (const [, before, name, ranged] of counters) {
        expect(before, `${at}: ${name}`).toMatch(/(rate|increase)\($/);
        expect(ranged, `${at}: ${name}`).toBe('[');
      }
    }
  });

  test('what tells the series of a query apart stands in its legend, and nothing else does', () => {
    for (const { expr, legend, at } of expressions) {
      const apart = toldApartBy(expr);
      if (apart === null) continue;
      const inLegend = [...legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
      expect({ at, labels: inLegend.toSorted() }).toEqual({ at, labels: apart.toSorted() });
    }
  });

  test.each([
    'tc_topic_depth',
    'tc_topic_dead_letters',
    'tc_budget_spent_usd',
    'tc_dataset_pairs',
    'tc_data_file_bytes',
  ])('%s, which several processes read of the same thing, is a maximum and no sum', (name) => {
    const reading = expressions.filter(({ expr }) => metricsIn(expr).has(name));
    expect(reading).not.toEqual([]);
    for (const { expr, at } of reading) expect(expr, at).toMatch(new RegExp(`max( by \\([^)]*\\))? \\(${name}\\{`));
    for (const { expr, at } of reading) expect(expr, at).not.toMatch(new RegExp(`sum( by \\([^)]*\\))? \\(${name}\\{`));
  });
});

describe('panels', () => {
  const panels = rendered.flatMap((dashboard) =>
    (dashboard.panels ?? []).map((panel) => ({ uid: dashboard.uid, panel: panel as Panel })),
  );
  const shown = panels.filter(({ panel }) => panel.type !== 'row');

  test('each has a title of its own, a sentence, a unit, and a legend for every query', () => {
    for (const { uid, panel } of shown) {
      const at = `${uid}/${panel.title}`;
      expect(panel.title?.length, at).toBeGreaterThan(2);
      expect(panel.description, at).toMatch(/^.{30,}\.$/);
      expect(panel.fieldConfig?.defaults.unit, at).toBeTruthy();
      for (const { legendFormat } of panel.targets as Dataquery[]) expect(legendFormat, at).toMatch(/^(?!__auto).+/);
    }
    const titles = shown.map(({ uid, panel }) => `${uid}/${panel.title}`);
    expect(new Set(titles).size).toBe(titles.length);
  });

  test('each fits 24 columns, and none lies over another', () => {
    for (const dashboard of rendered) {
      const taken = new Map<string, string>();
      for (const { title, gridPos } of dashboard.panels as Panel[]) {
        const { x, y, w, h } = gridPos!;
        expect(x + w, title).toBeLessThanOrEqual(24);
        for (let column = x; column < x + w; column++)
          for (let line = y; line < y + h; line++) {
            expect(taken.get(`${column},${line}`), title).toBeUndefined();
            taken.set(`${column},${line}`, title!);
          }
      }
    }
  });

  test('each line of panels is filled from edge to edge', () => {
    for (const { uid, rows } of dashboards)
      for (const { title, lines } of rows)
        for (const { panels: beside } of lines)
          expect(
            beside.reduce((sum, { width }) => sum + width, 0),
            `${uid}/${title}`,
          ).toBe(24);
  });

  test('links of panels lead to dashboards that there are', () => {
    const links = shown.flatMap(({ panel }) => panel.links ?? []);
    expect(links.length).toBeGreaterThan(0);
    for (const { url } of links)
      expect(rendered.map(({ uid }) => uid)).toContain(/^\/d\/([a-z-]+)\?/.exec(url ?? '')?.[1]);
  });

  test('what may be empty says why, and says something in place of values', () => {
    expect(Object.keys(mayBeEmpty).length).toBeGreaterThan(0);
    for (const { uid, panel } of shown) {
      const at = `${uid}/${panel.title}`;
      if (mayBeEmpty[at] === undefined) continue;
      expect(mayBeEmpty[at], at).toMatch(/\.$/);
      expect(panel.fieldConfig?.defaults.noValue, at).toBeTruthy();
    }
  });
});

test('every dashboard can be asked of any data source, job and instances, and leads to the others', () => {
  for (const { uid, tags, links, refresh, time, id, templating, panels } of rendered) {
    expect(id, uid).toBeUndefined();
    expect({ refresh, time }).toEqual({ refresh: '30s', time: { from: 'now-6h', to: 'now' } });
    expect(templating.list?.map(({ name }) => name)).toEqual(['datasource', 'job', 'instance']);
    expect(templating.list?.[0]?.current?.value).toBe('prometheus');
    expect(links).toMatchObject([{ type: 'dashboards', tags, includeVars: true, keepTime: true }]);
    for (const panel of panels as Panel[])
      if (panel.type !== 'row') expect(panel.datasource).toEqual({ type: 'prometheus', uid: `\${datasource}` });
  }
});

/** Name and matchers of every selector. */
function selectors(expr: string): RegExpMatchArray[] {
  return [...expr.matchAll(/([a-zA-Z_][\w:]*)\{([^}]*)\}/g)];
}

/** Labels that the outermost aggregation keeps; null where nothing is aggregated. */
function toldApartBy(expr: string): string[] | null {
  const [, labels] = /\b(?:sum|max|min|count)(?: by \(([^)]*)\))? ?\(/.exec(expr) ?? [null, null];
  if (labels === null) return null;
  const quantile = expr.startsWith('histogram_quantile');
  return (labels ?? '').split(', ').filter((label) => label !== '' && !(quantile && label === 'le'));
}
