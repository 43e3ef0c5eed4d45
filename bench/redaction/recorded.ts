/** Recorded sessions, the personal values that are known to stand in them, and labelled texts, beside the checkout. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Lsn, Trajectory, Turn } from '../../src/records.ts';

interface Row {
  session_id: string;
  seq: number;
  agent: string | null;
  tool: string | null;
  arguments: unknown;
  response: unknown;
}

export interface SessionCanaries {
  session_id: string;
  values: { type: string; value: string; seqs: number[] }[];
}

export interface LabelledText {
  text: string;
  label: 'positive' | 'near_miss';
  /** In UTF-16 units, `end` not included. */
  spans: { start: number; end: number; type: string; tier: string }[];
}

const fileOf = (name: string) => fileURLToPath(new URL(`../../../shared/data/${name}.jsonl.gz`, import.meta.url));

function linesOf<T>(name: string): T[] {
  const lines = gunzipSync(readFileSync(fileOf(name)))
    .toString()
    .split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}

export const labelledTexts = () => linesOf<LabelledText>('redaction');
export const sessionCanaries = () => linesOf<SessionCanaries>('session_canaries');

/** One trajectory a session. */
export function recordedTrajectories(): Trajectory[] {
  const sessions = new Map<string, Row[]>();
  for (const row of linesOf<Row>('audit_log')) {
    sessions.set(row.session_id, [...(sessions.get(row.session_id) ?? []), row]);
  }
  return [...sessions.values()].map((rows) => trajectoryOf(rows.map(turnOf)));
}

export function trajectoryOf(turns: Turn[]): Trajectory {
  const { sessionId } = turns[0]!;
  return {
    spec: 'trajectory/1',
    id: sessionId,
    source: 'recorded',
    sessionId,
    part: 0,
    agents: [...new Set(turns.map(({ agent }) => agent ?? ''))],
    turns,
    startedAt: 0,
    endedAt: 0,
    closedBy: 'history',
    contentHash: '',
  };
}

function turnOf({ session_id, seq, agent, tool, ...row }: Row): Turn {
  return {
    rowKey: `${session_id}:${seq}`,
    sessionId: session_id,
    agent,
    tool,
    arguments: row.arguments === null ? null : JSON.stringify(row.arguments),
    response: row.response === null ? null : JSON.stringify(row.response),
    costUsd: null,
    durationMs: null,
    createdAt: null,
    committedAt: null,
    position: { lsn: '00000000/00000000' as Lsn, ordinal: seq },
  };
}

/** What a model or a sink would see of a session. */
export function textsOf({ turns }: Trajectory): string[] {
  return turns.flatMap(({ agent, tool, arguments: asked, response }) =>
    [agent, tool, asked, response].map((text) => text ?? ''),
  );
}
