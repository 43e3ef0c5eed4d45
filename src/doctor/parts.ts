/** Parts are looked at all at once, each within a time of its own, and told in their order. */
import { type Check, Checklist, failure } from '../checks.ts';
import { exitCodes, messageOf } from '../errors.ts';
import { pause, within } from '../lifecycle.ts';

export interface Part {
  name: string;
  limitMs: number;
  examine: (list: Checklist, signal: AbortSignal) => void | Promise<void>;
}

export interface Examined {
  part: string;
  checks: Check[];
  /** Something of it may still be under way, and keep the process. */
  givenUp: boolean;
}

export interface Patience {
  drain: AbortSignal;
  /** Hears of each part that is waited for. */
  slow: (part: string) => void;
  /** How long a part is waited for in silence. */
  silenceMs?: number;
}

/** Each part as soon as it and those before it have been looked at. */
export async function* examineParts(
  parts: readonly Part[],
  { drain, slow, silenceMs = 1_000 }: Patience,
): AsyncGenerator<Examined> {
  const running = parts.map((part) => ({ part, examined: examinePart(part, drain) }));
  for (const { part, examined } of running) {
    if ((await within(silenceMs, examined)) === undefined) slow(part.name);
    const found = await examined;
    if (drain.aborted) return;
    yield found;
  }
}

async function examinePart({ name, limitMs, examine }: Part, drain: AbortSignal): Promise<Examined> {
  const list = new Checklist();
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, drain]);
  const looked = look(() => examine(list, signal), list, signal);
  const done = (await Promise.race([looked, pause(limitMs, signal)])) === true;
  // What it adds from here on is not told.
  const checks = done ? list.checks : [...list.checks, timedOut(name, limitMs)];
  over.abort();
  return { part: name, checks, givenUp: !done };
}

/** A fault of ours in one part is said, and leaves the others alone. */
async function look(work: () => void | Promise<void>, list: Checklist, signal: AbortSignal): Promise<true> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted) list.add(failure('unexpected', messageOf(error), null));
  }
  return true;
}

function timedOut(part: string, limitMs: number): Check {
  const sentence = `${part}: not all could be looked at within ${limitMs / 1000} s, and what is not said here was not`;
  const remedy = 'look at the network between this host and the addresses of the settings, then run doctor again';
  return { ...failure('timed_out', sentence, remedy), exitCode: exitCodes.sourceUnavailable };
}
