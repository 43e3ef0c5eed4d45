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

interface Recording {
  record: string;
  expr: string;
}

export interface Rules {
  alerts: { alert: string; metrics: ReadonlySet<string> }[];
  recorded: (Recording & { metrics: ReadonlySet<string> })[];
}

/** With each go the metrics that it rests on, those of the recording rules that it reads included. */
export function readRules(): Rules {
  const names = readdirSync(fileURLToPath(folder)).filter((name) => name.endsWith('.yml'));
  const rules = names
    .sort()
    .flatMap((name) => rulesFile.parse(parse(readFileSync(new URL(name, folder), 'utf8'))).groups)
    .flatMap((group) => group.rules);
  const recording = rules.flatMap(({ record, expr }) => (record === undefined ? [] : [{ record, expr }]));
  const recorded = recording.map((rule) => ({ ...rule, metrics: restsOn(rule.expr, recording, new Set()) }));
  const alerts = rules.flatMap(({ alert, expr }) =>
    alert === undefined ? [] : [{ alert, metrics: restsOn(expr, recording, new Set()) }],
  );
  return { alerts, recorded };
}

function restsOn(expr: string, recording: readonly Recording[], seen: ReadonlySet<string>): Set<string> {
  const read = recording.filter(({ record }) => recordedIn(expr).has(record) && !seen.has(record));
  const deeper = read.flatMap((rule) => [...restsOn(rule.expr, recording, new Set([...seen, rule.record]))]);
  return new Set([...metricsIn(expr), ...deeper]);
}
