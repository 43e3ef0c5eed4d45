/** What a simulated agent is: a name, a rhythm and a generator of tool calls. */
import type { Dice } from './dice.ts';

/** One tool call and its answer. */
export interface Call {
  tool: string;
  arguments: Record<string, unknown>;
  response: Record<string, unknown> | string;
}

export interface Agent {
  name: string;
  /** How often it works, against the others. */
  weight: number;
  /** Simulated milliseconds between two calls, shortest and longest. */
  gapMs: readonly [number, number];
  /** US dollars that a model's step costs, lowest and highest; null where no model is behind the agent. */
  stepUsd: readonly [number, number] | null;
  /** One session's calls. Pure: everything comes from the dice. */
  session(dice: Dice): Generator<Call>;
}

export function call(tool: string, args: Call['arguments'], response: Call['response']): Call {
  return { tool, arguments: args, response };
}

const thoughts = [
  'That is settled. On to the next item.',
  'Nothing here needs a decision from me; carrying on.',
  'Let me keep the order of the list and come back to the rest afterwards.',
  'Before going on I check whether anything else is waiting.',
  'Taking stock: part of the work is done, the rest follows.',
] as const;

/** What fills real logs between the steps that matter: a thought, a glance at the clock, an empty search. */
export function* asides(dice: Dice, share: number): Generator<Call> {
  if (!dice.chance(share)) return;
  switch (dice.int(0, 2)) {
    case 0:
      yield call('think', {}, dice.pick(thoughts));
      return;
    case 1:
      yield call('list_reminders', { scope: 'mine' }, { reminders: [], note: 'nothing due' });
      return;
    default:
      yield call('search_notes', { query: dice.pick(['handover', 'holidays', 'house rules']) }, 'No notes match.');
  }
}
