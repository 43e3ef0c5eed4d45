/** What stands in an expression of PromQL. */
import { definitions } from '../src/metrics/definitions.ts';

const histograms = new Set<string>(
  Object.values(definitions).flatMap(({ kind, name }) => (kind === 'histogram' ? [name] : [])),
);

/** Metrics of this program and of the client library; a histogram by its name, whichever of its series is read. */
export function metricsIn(expr: string): Set<string> {
  const found = outsideStrings(expr).match(/\b(?:tc|process|nodejs)_[a-z0-9_]+/g) ?? [];
  return new Set(found.map(histogramOf));
}

export function recordedIn(expr: string): Set<string> {
  return new Set(outsideStrings(expr).match(/\btc:[a-z0-9_:]+/g) ?? []);
}

function histogramOf(series: string): string {
  const name = series.replace(/_(?:bucket|sum|count)$/, '');
  return histograms.has(name) ? name : series;
}

/** Label values may look like anything. */
function outsideStrings(expr: string): string {
  return expr.replaceAll(/"[^"]*"/g, '""');
}
