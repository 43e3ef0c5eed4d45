/**
 * What a segment is like: who calls which tools with which arguments, and what follows what. Two runs of one routine are
 * alike, whatever they were about, whichever ids they met and however often they went round.
 */
import type { Micros } from '../../records.ts';
import type { RenderedTurn, SegmentView } from '../compiler.ts';
import { digestOf } from '../digest.ts';
import { hasFailed } from '../rules/failure.ts';

export interface Traits {
  /** By which the segment is known again: digest of session and fingerprint. */
  key: string;
  /** Digests of calls that follow each other, each once. Never empty. */
  shingles: string[];
  /** `agent tool`, of each that was called. */
  tools: string[];
  /** `agent tool`, of each that failed. */
  failures: string[];
  /** When its trajectory ended, in commit time. */
  at: Micros;
}

/** Order counts near by: what comes next, not what comes at the end. */
const shingleCalls = 2;
/** A round of more calls than this is not known for one. */
const maxRoundCalls = 12;
/** Deeper keys belong to the values. */
const maxKeyDepth = 2;
/** An object with more members is a table of values by name, no form that was filled in. */
const maxMembers = 24;
const digestChars = 16;

export function traitsOf({ segment, trajectory, turns }: SegmentView): Traits {
  const bearing = turns.filter(({ bearsEvidence }) => bearsEvidence);
  const failed = bearing.filter(({ response }) => hasFailed(response));
  return {
    key: digestOf(segment.sessionId, segment.fingerprint),
    shingles: shinglesOf(withoutRounds(bearing.map(callOf))),
    tools: distinct(bearing.map(toolOf)),
    failures: distinct(failed.map(toolOf)),
    at: trajectory.endedAt,
  };
}

function shinglesOf(calls: readonly string[]): string[] {
  const size = Math.min(shingleCalls, calls.length);
  const starts = calls.slice(0, calls.length - size + 1);
  const shingles = starts.map((_, at) => digestOf(...calls.slice(at, at + size)).slice(0, digestChars));
  return distinct(shingles);
}

function callOf(turn: RenderedTurn): string {
  return digestOf(toolOf(turn), ...keysOf(turn.arguments, 1));
}

function toolOf({ turn }: RenderedTurn): string {
  return `${withoutIds(turn.agent ?? '')} ${withoutIds(turn.tool ?? '')}`;
}

/** Each agent of a fleet may bear a number, and each tool of a session an id: neither makes another routine. */
function withoutIds(name: string): string {
  return name.replace(/[0-9a-f]{8,}|\d+/gi, '#');
}

/** Names of the members, `outer.inner` for those within; of a list those of its items. */
function keysOf(value: unknown, depth: number): string[] {
  if (typeof value !== 'object' || value === null || depth > maxKeyDepth) return [];
  if (Array.isArray(value)) return distinct(value.flatMap((item) => keysOf(item, depth)));
  const members = Object.entries(value);
  if (members.length > maxMembers) return ['*'];
  return distinct(
    members.flatMap(([name, member]) => {
      const key = withoutIds(name);
      return [key, ...keysOf(member, depth + 1).map((inner) => `${key}.${inner}`)];
    }),
  );
}

const distinct = (names: readonly string[]): string[] => [...new Set(names)].sort();

/** One round of what repeats at once: of A B A B C, A B C. */
export function withoutRounds(calls: readonly string[]): string[] {
  const kept: string[] = [];
  for (const call of calls) {
    kept.push(call);
    // A round that closes may close a longer one round it.
    for (let round = 1; round <= Math.min(maxRoundCalls, kept.length / 2); round++) {
      if (!endsTwice(kept, round)) continue;
      kept.length -= round;
      round = 0;
    }
  }
  return kept;
}

function endsTwice(calls: readonly string[], round: number): boolean {
  for (let back = 1; back <= round; back++) {
    if (calls.at(-back) !== calls.at(-back - round)) return false;
  }
  return true;
}
