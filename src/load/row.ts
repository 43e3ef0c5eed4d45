/** One line of a recorded audit log as a row, checked at the border. */
import { z } from 'zod';
import type { NewRow } from '../postgres/append.ts';
import { type Micros, microsOf } from '../records.ts';
import { rawMembers } from './members.ts';

/** Postgres stores neither NUL nor half a surrogate pair in text: said here, not altered. */
const text = z
  .string()
  .refine((value) => !value.includes('\u0000'), 'holds a NUL character, which Postgres can not store')
  .refine((value) => value.isWellFormed(), 'holds half a surrogate pair, which Postgres can not store');

const notAmount = 'must be a number, as such or as text';
const amount = z.union([z.number(notAmount), z.string().regex(/^-?\d+(\.\d+)?$/, notAmount)], notAmount);

const time = z
  .string()
  .refine((value) => Number.isFinite(microsOf(value) ?? Number.NaN), 'must be a time such as 2026-01-05T08:26:59.153Z');

/**
 * The keys of a recorded row that have a form to keep; `arguments` and `response` may be any JSON. Further keys are ignored, unless
 * the table's mapping carries them as metadata.
 */
const lineSchema = z.object({
  session_id: text.min(1),
  agent: text.nullish(),
  tool: text.nullish(),
  cost_usd: amount.nullish(),
  duration_ms: amount.nullish(),
  created_at: time,
});

/** A row with the line it came from. */
export interface RecordedRow extends NewRow {
  /** 1 for the first line of the file. */
  line: number;
  at: Micros;
  /** Of the line. */
  bytes: number;
}

export type Parsed = { ok: true; row: RecordedRow } | { ok: false; problem: string };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads one line; null where it is blank. `metadata` names further keys to carry along. What is wrong with a line is
 * said without repeating its content.
 */
export function parseLine(line: number, bytes: Uint8Array, metadata: readonly string[] = []): Parsed | null {
  let json: string;
  try {
    json = utf8.decode(bytes);
  } catch {
    return { ok: false, problem: 'is not UTF-8' };
  }
  if (json.trim() === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { ok: false, problem: 'is not JSON' };
  }
  const checked = lineSchema.safeParse(value);
  if (!checked.success) return { ok: false, problem: problemOf(checked.error) };
  return { ok: true, row: rowOf(line, bytes.length, checked.data, rawMembers(json), metadata) };
}

function rowOf(
  line: number,
  bytes: number,
  data: z.infer<typeof lineSchema>,
  raw: Map<string, string>,
  metadata: readonly string[],
): RecordedRow {
  const jsonOf = (key: string) => {
    const member = raw.get(key);
    return member === undefined || member === 'null' ? null : member;
  };
  // A number's own text, or the string's content: the two forms in which exports write decimals.
  const amountOf = (key: 'cost_usd' | 'duration_ms') => (typeof data[key] === 'string' ? data[key] : jsonOf(key));
  const row: RecordedRow = {
    line,
    bytes,
    at: microsOf(data.created_at) ?? 0,
    sessionId: data.session_id,
    agent: data.agent ?? null,
    tool: data.tool ?? null,
    arguments: jsonOf('arguments'),
    response: jsonOf('response'),
    costUsd: amountOf('cost_usd'),
    durationMs: amountOf('duration_ms'),
    createdAt: data.created_at,
  };
  if (metadata.length > 0) row.metadata = Object.fromEntries(metadata.map((key) => [key, jsonOf(key)]));
  return row;
}

function problemOf(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'does not have the form of a row';
  if (issue.path.length === 0) return 'is not a JSON object';
  return `${issue.path.join('.')}: ${issue.message}`;
}
