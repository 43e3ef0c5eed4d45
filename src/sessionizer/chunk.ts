/**
 * How turns of one part are packed into one row of the journal. `heads` holds what orders and names them, as JSON;
 * `body` holds the long texts end to end, as they are: nothing is escaped, and ids are computed without reading it.
 */
import type { Lsn, Micros, Turn } from '../records.ts';
import type { OrderKey } from './trajectory.ts';

type Text = string | null;
type Head = [
  rowKey: string,
  createdAt: Text,
  committedAt: Micros | null,
  lsn: Lsn,
  ordinal: number,
  agent: Text,
  tool: Text,
  costUsd: Text,
  durationMs: Text,
  /** UTF-16 units of `arguments` in the body; null where there are none. */
  argumentsLength: number | null,
  responseLength: number | null,
  metadata: Record<string, Text> | null,
  /** Absent where there is none. */
  digest?: string,
];

export interface Chunk {
  heads: string;
  body: string;
}

/** @param digests of the turns, in their order; empty where there are none */
export function packTurns(turns: readonly Turn[], digests: readonly string[] = []): Chunk {
  let body = '';
  const heads: Head[] = [];
  for (const [i, t] of turns.entries()) {
    const { lsn, ordinal } = t.position;
    const lengths = [t.arguments?.length ?? null, t.response?.length ?? null] as const;
    const names = [t.agent, t.tool, t.costUsd, t.durationMs] as const;
    const head: Head = [t.rowKey, t.createdAt, t.committedAt, lsn, ordinal, ...names, ...lengths, t.metadata ?? null];
    const digest = digests[i];
    if (digest !== undefined) head.push(digest);
    heads.push(head);
    body += (t.arguments ?? '') + (t.response ?? '');
  }
  return { heads: JSON.stringify(heads), body };
}

export function unpackTurns(sessionId: string, { heads, body }: Chunk): Turn[] {
  let offset = 0;
  const take = (length: number | null): string | null => {
    if (length === null) return null;
    offset += length;
    return body.slice(offset - length, offset);
  };
  return parseHeads(heads).map((head) => {
    const [, , , , , agent, tool, costUsd, durationMs, argumentsLength, responseLength, metadata, digest] = head;
    const texts = { arguments: take(argumentsLength), response: take(responseLength) };
    const turn: Turn = { ...orderKeyOf(head), sessionId, agent, tool, ...texts, costUsd, durationMs };
    if (metadata !== null) turn.metadata = metadata;
    if (digest !== undefined) turn.digest = digest;
    return turn;
  });
}

export function unpackOrder(heads: string): OrderKey[] {
  return parseHeads(heads).map(orderKeyOf);
}

// Written by this program in the same schema version: the form is checked by tests, not at every read.
function parseHeads(heads: string): Head[] {
  return JSON.parse(heads) as Head[];
}

function orderKeyOf([rowKey, createdAt, committedAt, lsn, ordinal]: Head): OrderKey {
  return { rowKey, createdAt, committedAt, position: { lsn, ordinal } };
}
