/** The simulated fleet: eight agents at work at once, as rows of an audit log in the order of their time. */
import type { Agent, Call } from './agent.ts';
import { drafting } from './agents/drafting.ts';
import { inboxTriage } from './agents/inbox-triage.ts';
import { opsLoop } from './agents/ops-loop.ts';
import { outboundCadence } from './agents/outbound-cadence.ts';
import { paperScoring } from './agents/paper-scoring.ts';
import { phone } from './agents/phone.ts';
import { safetyScan } from './agents/safety-scan.ts';
import { todos } from './agents/todos.ts';
import { Dice } from './dice.ts';

export const agents: readonly Agent[] = [
  inboxTriage,
  todos,
  paperScoring,
  outboundCadence,
  phone,
  drafting,
  safetyScan,
  opsLoop,
];

/** One row of the audit log, its time counted from the start of the fleet. */
export interface FleetRow {
  sessionId: string;
  agent: string;
  tool: string;
  arguments: Record<string, unknown>;
  response: Record<string, unknown> | string;
  /** US dollars as decimal text; null where no model was asked. */
  costUsd: string | null;
  durationMs: number;
  /** Simulated milliseconds since the fleet started. */
  offsetMs: number;
}

export interface FleetOptions {
  seed: number;
  sessions: number;
  /** Simulated milliseconds over which sessions begin; the last ones end a few minutes later. */
  spanMs?: number;
  /** Share of sessions that break off after a few calls. */
  brokenOff?: number;
}

/** Eighteen minutes: at a speed of 60 the whole fleet is done in well under half a minute. */
export const defaultSpanMs = 18 * 60_000;
export const defaultSessions = 90;

interface Live {
  head: FleetRow;
  rest: Iterator<FleetRow>;
}

/**
 * The rows of `sessions` sessions, by time. The same seed gives the same rows; a session's content depends on the seed
 * and its number alone. Memory holds the sessions that overlap, never all.
 */
export function* fleet(options: FleetOptions): Generator<FleetRow> {
  const { sessions, spanMs = defaultSpanMs } = options;
  const live: Live[] = [];
  const startOf = (number: number) => Math.floor((number * spanMs) / sessions);
  for (let opened = 0; opened < sessions || live.length > 0; ) {
    const earliest = earliestOf(live);
    if (opened < sessions && (earliest === undefined || startOf(opened) <= earliest.head.offsetMs)) {
      const rest = sessionRows(options, opened, startOf(opened));
      const first = rest.next();
      if (first.done !== true) live.push({ head: first.value, rest });
      opened++;
      continue;
    }
    if (earliest === undefined) continue;
    yield earliest.head;
    const next = earliest.rest.next();
    if (next.done === true) live.splice(live.indexOf(earliest), 1);
    else earliest.head = next.value;
  }
}

function earliestOf(live: readonly Live[]): Live | undefined {
  let earliest = live[0];
  for (const one of live) if (earliest !== undefined && one.head.offsetMs < earliest.head.offsetMs) earliest = one;
  return earliest;
}

function* sessionRows({ seed, brokenOff = 0.1 }: FleetOptions, number: number, startMs: number): Generator<FleetRow> {
  const dice = new Dice(seed, number);
  const agent = agentOf(dice, number);
  const sessionId = `${agent.name}-${String(number + 1).padStart(4, '0')}-${dice.int(0x1000, 0xffff).toString(16)}`;
  const most = dice.chance(brokenOff) ? dice.int(3, 8) : Number.POSITIVE_INFINITY;
  let offsetMs = startMs;
  let count = 0;
  for (const step of agent.session(dice)) {
    if (count++ >= most) return;
    offsetMs += dice.int(...agent.gapMs);
    yield rowOf(step, agent, dice, sessionId, offsetMs);
  }
}

function rowOf(step: Call, agent: Agent, dice: Dice, sessionId: string, offsetMs: number): FleetRow {
  const costUsd = agent.stepUsd === null ? null : usdBetween(dice, agent.stepUsd);
  return { sessionId, agent: agent.name, ...step, costUsd, durationMs: dice.int(40, 2_400), offsetMs };
}

function usdBetween(dice: Dice, [lowest, highest]: readonly [number, number]): string {
  return (lowest + dice.next() * (highest - lowest)).toFixed(6);
}

/** The first eight sessions are one of each agent, so that the smallest fleet shows all; later ones go by weight. */
function agentOf(dice: Dice, number: number): Agent {
  const first = agents[number];
  if (first !== undefined) return first;
  let left = dice.next() * agents.reduce((sum, agent) => sum + agent.weight, 0);
  for (const agent of agents) {
    left -= agent.weight;
    if (left < 0) return agent;
  }
  return agents[0] as Agent;
}
