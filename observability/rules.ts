/** The rules of Prometheus, as far as the page of metrics tells of them. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import { metricsIn, recordedIn } from './expressions.ts';

const folder = new URL('../deploy/prometheus/rules/', import.meta.url);

const rulesFile = z.object({
  groups: z.array(
    z.object({
      rules: z.array(z.object({ alert: z.string().optional(), record: z.string().optional(), expr: z.string() })),
    }),
  ),
});

export interface Rules {
  alerts: { alert: string; metrics: ReadonlySet<string> }[];
  recorded: { record: string; expr: string }[];
}

/** With each alert go the metrics that it rests on, those of the recording rules that it reads included. */
export function readRules(): Rules {
  const names = readdirSync(fileURLToPath(folder)).filter((name) => name.endsWith('.yml'));
  const rules = names
    .sort()
    .flatMap((name) => rulesFile.parse(parse(readFileSync(new URL(name, folder), 'utf8'))).groups)
    .flatMap((group) => group.rules);
  const recorded = rules.flatMap(({ record, expr }) => (record === undefined ? [] : [{ record, expr }]));
  const alerts = rules.flatMap(({ alert, expr }) =>
    alert === undefined ? [] : [{ alert, metrics: restsOn(expr, recorded, new Set()) }],
  );
  return { alerts, recorded };
}

function restsOn(expr: string, recorded: Rules['recorded'], seen: ReadonlySet<string>): Set<string> {
  const read = recorded.filter(({ record }) => recordedIn(expr).has(record) && !seen.has(record));
  const deeper = read.flatMap((rule) => [...restsOn(rule.expr, recorded, new Set([...seen, rule.record]))]);
  return new Set([...metricsIn(expr), ...deeper]);
}
