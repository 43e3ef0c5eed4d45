/** Asks a Prometheus what a dashboard asks it. */
import type { Sample, TestPrometheus } from '../../support/prometheus.ts';
import { annotationsOf, chooseVariables, type Dashboard, questionsOf, sentBy } from './dashboards.ts';

export interface Shown {
  /** What each variable offers. */
  offered: Record<string, string[]>;
  /** Panels with something to ask. */
  panels: number;
  /** What gave nothing at any time since then: panel, query and expression. */
  empty: { panel: string; asked: string }[];
  /** What a reader would have seen as "NaN". */
  noFigures: string[];
}

/** Everything of a dashboard, for all the time since `from`. */
export async function show(dashboard: Dashboard, prometheus: TestPrometheus, from: Date): Promise<Shown> {
  const { chosen, values: offered } = await chooseVariables(dashboard, prometheus);
  const questions = questionsOf(dashboard);
  const shown: Shown = { offered, panels: new Set(questions.map(({ panel }) => panel)).size, empty: [], noFigures: [] };
  for (const { panel, refId, expr, drawn } of questions) {
    const samples = await sinceThen(prometheus, sentBy(dashboard, expr, chosen), from);
    const asked = `${panel} ${refId}: ${expr}`;
    if (!samples.some(isFigure)) shown.empty.push({ panel, asked });
    // A line may have gaps where nothing happened.
    if (!drawn && !samples.every(isFigure)) shown.noFigures.push(asked);
  }
  for (const expr of annotationsOf(dashboard)) {
    const samples = await sinceThen(prometheus, sentBy(dashboard, expr, chosen), from);
    if (!samples.some(isFigure)) shown.empty.push({ panel: `${dashboard.uid}/annotation`, asked: expr });
  }
  return shown;
}

export const isFigure = ({ value }: Sample): boolean => !Number.isNaN(value);

/** What an expression gave at each step since `from`: all samples. */
export async function sinceThen(prometheus: TestPrometheus, expr: string, from: Date): Promise<Sample[]> {
  const asked = { query: expr, start: String(from.getTime() / 1000), end: String(Date.now() / 1000), step: '1' };
  const { result } = (await prometheus.get(`query_range?${new URLSearchParams(asked)}`)) as {
    result: { metric: Record<string, string>; values: [time: number, value: string][] }[];
  };
  return result.flatMap(({ metric: labels, values }) =>
    values.map(([, value]) => ({ labels, value: Number(value.replace('Inf', 'Infinity')) })),
  );
}
