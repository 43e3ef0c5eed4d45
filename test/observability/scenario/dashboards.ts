/** The dashboards as Grafana reads them: what their panels ask, with variables put in as Grafana would. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestPrometheus } from '../../support/prometheus.ts';

interface Target {
  refId: string;
  expr: string;
}

interface Panel {
  title?: string;
  type: string;
  targets?: Target[];
  panels?: Panel[];
}

interface Variable {
  name: string;
  type: string;
  query?: string | { query: string };
  allValue?: string;
  includeAll?: boolean;
}

export interface Dashboard {
  uid: string;
  time: { from: string };
  panels: Panel[];
  templating: { list: Variable[] };
  annotations: { list: { name: string; target?: { expr?: string } }[] };
}

export interface Question {
  /** Uid of the dashboard and title of the panel. */
  panel: string;
  refId: string;
  expr: string;
  /** As lines over time; otherwise a figure is read off it. */
  drawn: boolean;
}

/** Values of a dashboard's variables. */
export type Chosen = Readonly<Record<string, string>>;

const folder = fileURLToPath(new URL('../../../deploy/grafana/dashboards', import.meta.url));

export function readDashboards(): Dashboard[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  return files.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Dashboard);
}

/** Everything that the panels of a dashboard ask. */
export function questionsOf({ uid, panels }: Dashboard): Question[] {
  const all = panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
  return all.flatMap(({ title = '', type, targets = [] }) =>
    targets.map(({ refId, expr }) => ({ panel: `${uid}/${title}`, refId, expr, drawn: type === 'timeseries' })),
  );
}

/** What marks moments in all panels of a dashboard. */
export function annotationsOf({ annotations: { list } }: Dashboard): string[] {
  return list.flatMap(({ target }) => target?.expr ?? []);
}

/** Asks for the values of each variable, in their order, and chooses as a newcomer finds them: the first, or all. */
export async function chooseVariables(
  { templating: { list } }: Dashboard,
  prometheus: TestPrometheus,
): Promise<{ chosen: Chosen; values: Record<string, string[]> }> {
  const chosen: Record<string, string> = {};
  const values: Record<string, string[]> = {};
  for (const { name, query = '', includeAll, allValue } of list.filter(({ type }) => type === 'query')) {
    const text = typeof query === 'string' ? query : query.query;
    const found = await labelValues(filledIn(text, chosen), prometheus);
    values[name] = found;
    chosen[name] = includeAll === true ? (allValue ?? `(${found.join('|')})`) : (found[0] ?? '');
  }
  return { chosen, values };
}

async function labelValues(query: string, prometheus: TestPrometheus): Promise<string[]> {
  const [, series, label] = /^label_values\((.+),\s*(\w+)\)$/s.exec(query) ?? [];
  if (series === undefined) throw new Error(`a variable asks otherwise than by label_values: ${query}`);
  return (await prometheus.get(`label/${label}/values?${new URLSearchParams({ 'match[]': series })}`)) as string[];
}

/** What is scraped every 15 seconds and drawn some 800 points wide. */
const [scrapeSeconds, points] = [15, 800] as const;
const second = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/**
 * The expression that Grafana sends: `$__rate_interval` holds four scrapes at least.
 * https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/
 */
export function sentBy({ time }: Dashboard, expr: string, chosen: Chosen, now = new Date()): string {
  const [, count, unit] = /^now-(\d+)([smhd])$/.exec(time.from) ?? [];
  const range = Number(count) * second[unit as keyof typeof second];
  const interval = Math.max(scrapeSeconds, Math.ceil(range / points / scrapeSeconds) * scrapeSeconds);
  return filledIn(expr, {
    ...chosen,
    __range_s: String(range),
    __range: `${range}s`,
    __rate_interval: `${Math.max(interval + scrapeSeconds, 4 * scrapeSeconds)}s`,
    __interval: `${interval}s`,
    __from: String(now.getTime() - range * 1000),
    __to: String(now.getTime()),
  });
}

/** @throws where a variable has no value */
function filledIn(text: string, values: Chosen): string {
  return text.replaceAll(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => {
    const value = values[braced ?? bare];
    if (value === undefined) throw new Error(`nothing is known of ${whole} in ${text}`);
    return value;
  });
}
