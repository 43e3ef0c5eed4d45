import { type Check, Checklist } from '../../src/checks.ts';
import { type LoadedConfig, loadConfig } from '../../src/config.ts';
import type { Visit } from '../../src/doctor/visit.ts';

export const forever = new AbortController().signal;

export function load(env: Record<string, string> = {}): LoadedConfig {
  return loadConfig({ env, flags: {} });
}

export function visitOf(settings: Record<string, string>, more: Partial<Visit> = {}): Visit {
  return { loaded: load(settings), version: '0.0.0', env: {}, probe: false, drain: forever, ...more };
}

/** What a part puts on its list. */
export async function checksOf(look: (list: Checklist) => unknown): Promise<Check[]> {
  const list = new Checklist();
  await look(list);
  return list.checks;
}

export function named(checks: readonly Check[], name: string): Check {
  const found = checks.filter((check) => check.name === name);
  if (found.length === 1) return found[0]!;
  const names = checks.map((check) => `${check.outcome} ${check.name}: ${check.sentence}`).join('\n');
  throw new Error(`${found.length} checks are called ${name} among\n${names}`);
}

/** What is not all right, as a line each. */
export function faults(checks: readonly Check[]): string[] {
  return checks.filter(({ outcome }) => outcome !== 'ok').map(({ outcome, name }) => `${outcome} ${name}`);
}
