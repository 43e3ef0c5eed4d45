/**
 * What the parts of one session must be, by the rules alone: a fold over its rows in the order in which they committed.
 * It knows nothing of batches, watermarks, positions or crashes, and shares no code with the sessionizer.
 */
import type { Micros } from '../../src/records.ts';
import { type Row, textOf } from './server.ts';

export interface ReferenceRules {
  idleTimeout: Micros;
  endGrace: Micros;
  maxTurns: number;
  maxBytes: number;
  maxAge: Micros;
  minTurns: number;
  retain: Micros;
}

export interface ReferencePart {
  fate: string;
  /** Keys in the order of a trajectory. */
  rows: string[];
}

export interface History {
  /** In the order of (time, key). */
  rows: Row[];
  snapshotAt: Micros;
}

interface Growing {
  /** With the time by which the row stands in its trajectory. */
  rows: { row: Row; orderedBy: Micros }[];
  bytes: number;
  opened: Micros;
  last: Micros;
  marker: Micros | null;
  held: boolean;
}

/** @param until the server's time up to which everything has been seen */
export function partsOf(
  history: History | null,
  streamed: readonly Row[],
  until: Micros,
  rules: ReferenceRules,
): ReferencePart[] {
  const parts: ReferencePart[] = [];
  let part: Growing | null = null;

  const finish = (fate: string) => {
    parts.push({ fate, rows: keysOf(part!) });
    part = null;
  };
  const take = (row: Row, at: Micros, orderedBy: Micros) => {
    if (part !== null) {
      const fate = cap(part, bytesOf(row), at, rules);
      if (fate !== null) finish(fate);
    }
    part ??= { rows: [], bytes: 0, opened: at, last: at, marker: null, held: false };
    part.rows.push({ row, orderedBy });
    part.bytes += bytesOf(row);
    part.last = at;
    if (row.ends && part.marker === null) part.marker = at;
  };
  /** Time has come to `at` without a row of the session. */
  const settle = (at: Micros) => {
    if (part === null) return;
    const { closesAt, reason } = closing(part, rules);
    if (at <= closesAt) return;
    if (part.rows.length >= rules.minTurns) finish(`sealed ${reason}`);
    else if (at > Math.max(closesAt, part.last + rules.retain)) finish('released below_min_turns');
    else part.held = true;
  };
  const reopen = (at: Micros) => {
    if (part === null || !part.held) return;
    part.held = false;
    part.opened = at;
    part.marker = null;
  };

  let orderedBy = Number.NEGATIVE_INFINITY;
  for (const row of history?.rows ?? []) {
    const growing = part as Growing | null;
    const at = Math.max(growing?.last ?? 0, row.createdAt ?? growing?.last ?? 0);
    // The idle rule is off, and a session that went on after its end marker had not ended.
    if (growing !== null && growing.marker !== null && at > growing.marker + rules.endGrace) growing.marker = null;
    // Rows without a time stand next to the one before, in their own part.
    if (growing === null) orderedBy = Number.NEGATIVE_INFINITY;
    const capped = growing !== null && cap(growing, bytesOf(row), at, rules) !== null;
    orderedBy = row.createdAt ?? (capped ? Number.NEGATIVE_INFINITY : orderedBy);
    take(row, at, orderedBy);
  }
  if (history !== null && part !== null) {
    const growing: Growing = part;
    growing.last = Math.min(growing.last, history.snapshotAt);
    growing.opened = Math.min(growing.opened, history.snapshotAt);
    if (growing.marker !== null) growing.marker = Math.min(growing.marker, history.snapshotAt);
    if (growing.last + rules.idleTimeout < history.snapshotAt) {
      if (growing.rows.length >= rules.minTurns) finish('sealed history');
      else growing.held = true;
    }
  }
  for (const row of streamed) {
    const at = Math.max((part as Growing | null)?.last ?? 0, row.committedAt);
    settle(at);
    reopen(at);
    take(row, at, row.createdAt ?? row.committedAt);
  }
  settle(until);
  if (part !== null) finish((part as Growing).held ? 'held' : 'open');
  return parts;
}

function closing({ last, marker }: Growing, { idleTimeout, endGrace }: ReferenceRules) {
  const idle = { closesAt: last + idleTimeout, reason: 'idle' };
  if (marker === null) return idle;
  return marker + endGrace <= idle.closesAt ? { closesAt: marker + endGrace, reason: 'end_marker' } : idle;
}

/** What becomes of the part before a row that does not fit; null where it fits. */
function cap({ rows, bytes, opened }: Growing, more: number, at: Micros, rules: ReferenceRules): string | null {
  if (rows.length < rules.minTurns) return bytes + more > 8 * rules.maxBytes ? 'released short_at_cap' : null;
  if (rows.length >= rules.maxTurns) return 'sealed max_turns';
  if (bytes + more > rules.maxBytes) return 'sealed max_bytes';
  return at - opened > rules.maxAge ? 'sealed max_age' : null;
}

function keysOf({ rows }: Growing): string[] {
  // Rows arrive in the order of their positions, and the sort is stable: equal times stay by position.
  return [...rows]
    .sort((a, b) => (a.orderedBy < b.orderedBy ? -1 : +(a.orderedBy > b.orderedBy)))
    .map(({ row }) => row.key);
}

function bytesOf(row: Row): number {
  const { tool, response } = textOf(row);
  return row.key.length + tool.length + response.length;
}
