/** Whether a call may be made, apart from any file: what is spent, what is in flight, and what this one may cost. */
import { BudgetRefusal, type BudgetScope } from './budget.ts';
import { type Caps, usdOf } from './limits.ts';

/** In nano-dollars. */
export interface Spend {
  /** Settled, or reserved by a process that is gone: nobody will say what those calls did cost. */
  spent: number;
  /** Reserved by processes that live: some of it may come back. */
  inFlight: number;
}

export interface Standing {
  trajectory: Spend;
  day: Spend;
  month: Spend;
}

export type Verdict =
  | { do: 'grant' }
  /** What is in flight stands against it. */
  | { do: 'wait'; for: BudgetScope }
  | { do: 'refuse'; refusal: Refusal };

export interface Refusal {
  scope: BudgetScope;
  resumeAt: Date | null;
  message: string;
}

/**
 * `ask` is the most that the call can cost. What can't be refused for good waits, so that nothing is refused whose money
 * comes back a moment later.
 */
export function decide(ask: number, standing: Standing, caps: Caps, now: Date): Verdict {
  // Also where a cap was lowered below what is spent: it keeps nothing from what costs nothing.
  if (ask === 0) return { do: 'grant' };
  const tooDear = (['call', 'day', 'month'] as const).find((scope) => ask > caps[scope] && !isPause(scope, caps));
  if (tooDear !== undefined) return { do: 'refuse', refusal: refusalOfOne(tooDear, ask, caps[tooDear]) };
  // The month before the day: its money comes back later.
  for (const scope of ['trajectory', 'month', 'day'] as const) {
    const { spent } = standing[scope];
    if (spent + ask > caps[scope])
      return { do: 'refuse', refusal: refusalOf(scope, { ask, spent, cap: caps[scope] }, now) };
  }
  for (const scope of ['trajectory', 'month', 'day'] as const) {
    const { spent, inFlight } = standing[scope];
    if (spent + inFlight + ask > caps[scope]) return { do: 'wait', for: scope };
  }
  return { do: 'grant' };
}

/** Whoever gives a day nothing wants to wait, not to go without. */
const isPause = (scope: BudgetScope, caps: Caps) => scope !== 'call' && caps[scope] === 0;

const settingOf: Record<BudgetScope, string> = {
  call: 'budget.perCall',
  trajectory: 'budget.perTrajectory',
  day: 'budget.perDay',
  month: 'budget.perMonth',
};

/** Larger than a whole day's or month's money: no other day helps it. */
function refusalOfOne(scope: 'call' | 'day' | 'month', ask: number, cap: number): Refusal {
  const message = `one call may cost up to ${dollars(ask)}, and ${settingOf[scope]} is ${dollars(cap)}`;
  return { scope: 'call', resumeAt: null, message };
}

interface Sums {
  ask: number;
  spent: number;
  cap: number;
}

function refusalOf(scope: 'trajectory' | 'day' | 'month', { ask, spent, cap }: Sums, now: Date): Refusal {
  const sums = `${dollars(spent)} of ${settingOf[scope]} (${dollars(cap)}) are spent`;
  const call = `the next call may cost up to ${dollars(ask)}`;
  if (scope === 'trajectory') {
    return { scope, resumeAt: null, message: `${sums} on one trajectory, and ${call}` };
  }
  const resumeAt = scope === 'day' ? nextDay(now) : nextMonth(now);
  const period = scope === 'day' ? `on ${dayOf(now)}` : `in ${monthOf(now)}`;
  const message = `${sums} ${period} (UTC), and ${call}: it goes on at ${resumeAt.toISOString()}, or once the cap is raised`;
  return { scope, resumeAt, message };
}

export function errorOf({ scope, resumeAt, message }: Refusal, since: Date): BudgetRefusal {
  return new BudgetRefusal(message, { scope, since, ...(resumeAt === null ? {} : { resumeAt }) });
}

const dollars = (nano: number) => `${Number(usdOf(nano).toPrecision(6))} USD`;

/** `2026-11-21`, UTC. */
export function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}

/** `2026-11`, UTC. */
export function monthOf(at: Date): string {
  return at.toISOString().slice(0, 7);
}

function nextDay(at: Date): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + 1));
}

function nextMonth(at: Date): Date {
  return new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1));
}
