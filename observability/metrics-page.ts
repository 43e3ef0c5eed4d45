/** docs/metrics.md, from the table of metrics, the dashboards and the rules. */
import { type Definition, definitions, type MetricPart, metricParts } from '../src/metrics/definitions.ts';
import { absent } from './absent.ts';
import { dashboards, panelsOf } from './dashboards.ts';
import { metricsIn } from './expressions.ts';
import { before, openTelemetry } from './metrics-page-text.ts';
import { type Rules, readRules } from './rules.ts';

const all: readonly Definition[] = Object.values(definitions);

export function metricsPage(): string {
  const rules = readRules();
  const parts = Object.keys(metricParts) as MetricPart[];
  const sections = [
    before,
    ...parts.map((part) => sectionOf(part, rules)),
    defaults(),
    recordingRules(rules),
    openTelemetryNames(),
  ];
  return `${sections.join('\n\n')}\n`;
}

function sectionOf(part: MetricPart, rules: Rules): string {
  const metrics = all.filter((definition) => definition.part === part).map((definition) => entry(definition, rules));
  return [`## ${metricParts[part]}`, ...metrics].join('\n\n');
}

function entry(definition: Definition, { alerts }: Rules): string {
  const { name, kind, help, labels } = definition;
  const alerting = alerts.filter(({ metrics }) => metrics.has(name)).map(({ alert }) => `\`${alert}\``);
  const facts = [
    ...Object.entries(labels).map(([label, { means, values }]) => {
      const bound = values === undefined ? '' : `; one of ${values.map(quoted).join(', ')}`;
      return `label \`${label}\`: ${means}${bound}`;
    }),
    ...(definition.kind === 'histogram' ? [`buckets: ${definition.buckets.join(', ')}`] : []),
    seenOn(name),
    ...(alerting.length === 0 ? [] : [`alerts: ${alerting.join(', ')}`]),
  ];
  return [`### \`${name}\``, `${help} *${kind}, ${unitOf(name)}*`, facts.map((fact) => `- ${fact}`).join('\n')].join(
    '\n\n',
  );
}

function quoted(value: string): string {
  return value === '' ? 'empty' : `\`${value}\``;
}

/** Of the base units, which stand in the names. */
function unitOf(name: string): string {
  const bare = name.replace(/_total$/, '');
  if (bare.endsWith('_timestamp_seconds')) return 'seconds since 1970';
  if (bare.endsWith('_seconds')) return 'seconds';
  if (bare.endsWith('_bytes')) return 'bytes';
  if (bare.endsWith('_usd')) return 'US dollars';
  return bare.includes('_share_') ? 'share from 0 to 1' : 'number';
}

function seenOn(name: string): string {
  const places = dashboards.flatMap((dashboard) => {
    const panels = panelsOf(dashboard).filter(({ queries }) => queries.some(({ expr }) => metricsIn(expr).has(name)));
    return panels.length === 0 ? [] : [`${dashboard.title} (${panels.map(({ title }) => title).join('; ')})`];
  });
  return places.length === 0 ? 'on no dashboard' : `dashboards: ${places.join(', ')}`;
}

function defaults(): string {
  const shown = new Set(
    dashboards
      .flatMap(panelsOf)
      .flatMap(({ queries }) => queries.flatMap(({ expr }) => [...metricsIn(expr)]))
      .filter((name) => !name.startsWith('tc_')),
  );
  return [
    '## Of every Node.js process',
    'The client library adds metrics of the process and of Node.js. On dashboards are:',
    [...shown]
      .sort()
      .map((name) => `- \`${name}\`: ${seenOn(name)}`)
      .join('\n'),
    'On none, on purpose:',
    absent.map(({ metrics, because }) => `- \`${metrics.source.replaceAll(/[\^$]/g, '')}\`: ${because}`).join('\n'),
  ].join('\n\n');
}

function recordingRules({ recorded }: Rules): string {
  const rules = recorded.map(({ record, metrics }) => {
    const rests = [...metrics].map((name) => `\`${name}\``);
    return `- \`${record}\`${rests.length === 0 ? '' : `, from ${rests.join(', ')}`}`;
  });
  return [
    '## Recording rules',
    'What dashboards and alerts share is computed once, in `deploy/prometheus/rules`; panels that read these stay empty without them:',
    rules.join('\n'),
  ].join('\n\n');
}

function openTelemetryNames(): string {
  const names = all.flatMap(({ name, otel }) => (otel === undefined ? [] : [`| \`${name}\` | ${otel} |`]));
  return [...openTelemetry, ['| here | there |', '| --- | --- |', ...names].join('\n')].join('\n\n');
}
