/** What each model takes and how long it lives: the providers refuse what a model does not know. State of 2026-11. */

export interface Capability {
  /** Thinking as this model is asked for it; level and budget together are refused. */
  thinking: { level: 'MINIMAL' | 'LOW' | 'MEDIUM' | 'HIGH' } | { budget: number } | null;
  /** Null where none is announced. */
  shutdown: { date: string; servedAs: string } | null;
}

/** The longest prefix that fits decides. */
const byPrefix: Record<string, Capability> = {
  'gemini-2.5-flash': { thinking: { budget: 0 }, shutdown: { date: '2026-12-01', servedAs: 'gemini-3.5-flash-lite' } },
  'gemini-2.5-flash-lite': { thinking: { budget: 0 }, shutdown: null },
  'gemini-2.5-pro': { thinking: { budget: 1024 }, shutdown: { date: '2026-12-01', servedAs: 'gemini-3.8-flash' } },
  // Refuses a budget of 0; knows the lowest level instead.
  'gemini-3.5-flash-lite': { thinking: { level: 'MINIMAL' }, shutdown: null },
  // From here on: low, medium, high.
  'gemini-3': { thinking: { level: 'LOW' }, shutdown: null },
};

const unknown: Capability = { thinking: null, shutdown: null };

export function capabilityOf(model: string): Capability {
  const prefixes = Object.keys(byPrefix).filter((prefix) => model.startsWith(prefix));
  const longest = prefixes.sort((a, b) => b.length - a.length)[0];
  return (longest === undefined ? undefined : byPrefix[longest]) ?? unknown;
}

/** The model of each tier that calls one. */
export const tierModels = { cheap: 'gemini-3.5-flash-lite', strong: 'gemini-3.8-flash' } as const;
export type ModelTier = keyof typeof tierModels;

/** A sentence for the operator where the model is about to be shut down, or has been. */
export function shutdownWarning(model: string, today: Date): string | null {
  const { shutdown } = capabilityOf(model);
  if (shutdown === null) return null;
  const over = today.toISOString().slice(0, 10) >= shutdown.date;
  return `${model} ${over ? 'was' : 'is'} shut down on ${shutdown.date} and then served as ${shutdown.servedAs}: set compile.model to ${shutdown.servedAs}, or remove it`;
}
