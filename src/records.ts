/**
 * The vocabulary: the only types that cross a stage border.
 *
 * Every record that is written to a topic or a disk has a zod schema and a `spec`; readers ignore fields they do not
 * know, so a newer writer does not stop an older reader. Times are {@link Micros}, positions are {@link Lsn} text.
 */
import { z } from 'zod';

/** Microseconds since the Unix epoch. A double holds them exactly until the year 2255. */
export type Micros = number;

/** A WAL position as `XXXXXXXX/XXXXXXXX`: eight upper-case hex digits on either side, so that text order is WAL order. */
export type Lsn = string & { readonly __lsn: unique symbol };

/**
 * Where a restart begins: a Commit's `end_lsn`, or an idle keepalive's LSN. A transaction is known if and only if its
 * `final_lsn` is below it; a transaction that begins exactly there is new.
 */
export type ResumeLsn = Lsn & { readonly __resume: unique symbol };

const lsnPattern = /^[0-9A-F]{8}\/[0-9A-F]{8}$/;
const lsnSchema = z.string().regex(lsnPattern) as unknown as z.ZodType<Lsn>;
const resumeLsnSchema = z.string().regex(lsnPattern) as unknown as z.ZodType<ResumeLsn>;

/**
 * The total order of rows and the idempotency key of capture: the transaction's commit position (Begin's `final_lsn`)
 * and the ordinal of the row message within it, counted before any filter of ours. History rows carry the slot's
 * consistent point and ordinals below zero, so they stand before everything that streams.
 */
export const positionSchema = z.object({ lsn: lsnSchema, ordinal: z.int() });
export type Position = z.infer<typeof positionSchema>;

/** One audit-log row. Text is what Postgres sent: big integers, `1.10` and microseconds survive. */
export const turnSchema = z.object({
  /** The key column's text. */
  rowKey: z.string(),
  sessionId: z.string(),
  agent: z.string().nullable(),
  tool: z.string().nullable(),
  /** JSON text, or whatever a text column holds. */
  arguments: z.string().nullable(),
  /** JSON text, or whatever a text column holds. */
  response: z.string().nullable(),
  /** Decimal text, US dollars. */
  costUsd: z.string().nullable(),
  /** Decimal text, milliseconds. */
  durationMs: z.string().nullable(),
  /** The time column's text, under TimeZone=UTC and DateStyle=ISO: `2026-01-05 08:26:59.153001+00`. */
  createdAt: z.string().nullable(),
  /** Commit time of the transaction; null for history, whose commits are not known. */
  committedAt: z.number().nullable(),
  position: positionSchema,
  /** Further mapped columns, by name. */
  metadata: z.record(z.string(), z.string().nullable()).optional(),
  /** Keyed digest of the row as it was taken in: see `row-digest.ts`. Outlives redaction, and says nothing of the text. */
  digest: z.string().optional(),
});
export type Turn = z.infer<typeof turnSchema>;

/** What the stream yields: a row, or the news that every row committed before `at` has been yielded. */
export type Change = { kind: 'turn'; turn: Turn } | { kind: 'watermark'; at: Micros };

/**
 * How far the stream has come. `partial` is the last row taken of a transaction whose Commit has not arrived: a replay
 * from `resumeLsn` skips that many row messages of it.
 */
export const progressSchema = z.object({ resumeLsn: resumeLsnSchema, partial: positionSchema.nullable() });
export type Progress = z.infer<typeof progressSchema>;

/** Up to N rows or T milliseconds of the stream; may end inside a large transaction. */
export interface Batch {
  changes: Change[];
  /** The sessions that the turns of this batch belong to. */
  sessionIds: Set<string>;
  /** Where a restart begins once this batch is durable. */
  progress: Progress;
  /** Rows that are not carried on, by reason (`no_session`, `no_key`, `excluded`, …). */
  skipped: Record<string, number>;
  /** With a watermark: the server's time that it was taken from. The watermark keeps some way behind it. */
  serverAt?: Micros;
  /**
   * Absent in the stream. In history, `reading` turns the idle rule off; `done` ends it: what lies `idleTimeout`
   * before `snapshotAt` closes at once, the rest goes on in the stream.
   */
  history?: { state: 'reading' } | { state: 'done'; snapshotAt: Micros };
  /**
   * With `history`: rows of the table that come in beside the stream (backfill, recovery). They join what is open; their
   * positions say nothing of what is known, so whoever hands them on has left out the rows that are.
   */
  injected?: true;
}

export const closeReasonSchema = z.enum(['idle', 'end_marker', 'max_turns', 'max_bytes', 'max_age', 'history']);
export type CloseReason = z.infer<typeof closeReasonSchema>;

/** A sealed part of a session: published once, never changed. */
export const trajectorySchema = z.object({
  spec: z.literal('trajectory/1'),
  /** SHA-256 hex over source, session id and the ordered row keys. */
  id: z.string(),
  /** Names (system identifier, database, table): a new slot or a failover renames nothing. */
  source: z.string(),
  sessionId: z.string(),
  /** 0 for the first part of the session. */
  part: z.int(),
  /** In order of first appearance. */
  agents: z.array(z.string()),
  /** By `createdAt` (null: commit time), ties by position. Supporting turns are indexes into this array. */
  turns: z.array(turnSchema),
  startedAt: z.number(),
  endedAt: z.number(),
  closedBy: closeReasonSchema,
  /** SHA-256 hex over the turns' text; of a redacted trajectory `redacted:` and an HMAC over what is left. */
  contentHash: z.string(),
});
export type Trajectory = z.infer<typeof trajectorySchema>;

/** A trajectory without its turns, for a message that they would make too large: the audit log still has the rows. */
export const trajectoryClaimSchema = trajectorySchema.omit({ spec: true, turns: true }).extend({
  spec: z.literal('trajectory_claim/1'),
  /** In the order of the turns. */
  rowKeys: z.array(z.string()),
  /** In the same order; null for a turn without one. Absent in claims of before there were digests. */
  digests: z.array(z.string().nullable()).optional(),
});
export type TrajectoryClaim = z.infer<typeof trajectoryClaimSchema>;

/** What is scored, compiled, known again and replaced as one: a trajectory, or a window of a longer one. */
export const segmentSchema = z.object({
  /** SHA-256 hex over trajectory id and turn range. */
  id: z.string(),
  trajectoryId: z.string(),
  sessionId: z.string(),
  /** 0-based, both ends included, in the trajectory. */
  firstTurn: z.int(),
  lastTurn: z.int(),
  /** SHA-256 hex over the text of its turns. */
  fingerprint: z.string(),
  topic: z.string().nullable(),
  /** Numbers that say what there is to ask about (turns, tools, errors, repeated calls, …). */
  metrics: z.record(z.string(), z.number()),
  /** The share of the segment's characters that the compiler saw, 0 to 1. */
  shareSeen: z.number(),
});
export type Segment = z.infer<typeof segmentSchema>;

export const qaTypeSchema = z.enum(['factoid', 'reasoning', 'composition', 'temporal']);
export type QaType = z.infer<typeof qaTypeSchema>;

/** A value that a derivation starts from: where it stands, and what it is. */
export const operandSchema = z.object({
  /** Index in the trajectory. */
  turn: z.int(),
  field: z.enum(['arguments', 'response', 'tool', 'agent', 'time']),
  /** Dotted JSON path within the field, or null where the field is taken as text. */
  path: z.string().nullable(),
  /** The value's text, which must stand in that field. */
  value: z.string(),
});
export type Operand = z.infer<typeof operandSchema>;

/** How an answer follows from turns; code recomputes it. */
export const derivationSchema = z.object({
  op: z.enum(['count', 'difference', 'duration', 'order', 'exclusion', 'change', 'intervention', 'bridge', 'recovery']),
  operands: z.array(operandSchema),
  /** `session` where every turn of the session was looked at: counts and exclusions. */
  scope: z.enum(['operands', 'session']),
  result: z.string(),
  /** What else the operation needs to be run again, such as the argument that selects the counted calls. */
  params: z.record(z.string(), z.string()).optional(),
});
export type Derivation = z.infer<typeof derivationSchema>;

export const evidenceSchema = z.object({
  /** Index in the trajectory. */
  turn: z.int(),
  rowKey: z.string(),
  /** Stands so, white space folded, in the rendering that the compiler saw. */
  quote: z.string(),
  /** Character offset of the quote in the folded rendering. */
  offset: z.int(),
});
export type Evidence = z.infer<typeof evidenceSchema>;

export const verificationSchema = z.object({
  status: z.enum(['unverified', 'proved', 'pass', 'fail', 'held', 'error']),
  reason: z.string().nullable(),
  /** The verifier's version, which names its model; absent where no model looked at the pair. */
  version: z.string().optional(),
  /** ISO 8601, UTC. */
  at: z.string().optional(),
  /** The verifying model is of the same family as the one that wrote the pair: they may share an error. */
  sameFamily: z.boolean().optional(),
});
export type Verification = z.infer<typeof verificationSchema>;

/** A question whose answer needs two or more non-adjacent turns. */
export const qaPairSchema = z.object({
  spec: z.literal('qa_pair/1'),
  /** SHA-256 hex over session, segment fingerprint, compiler version and normalised question. */
  pairKey: z.string(),
  segmentId: z.string(),
  trajectoryId: z.string(),
  sessionId: z.string(),
  part: z.int(),
  agent: z.string().nullable(),
  /** Turns of the trajectory. */
  turnCount: z.int(),
  question: z.string(),
  answer: z.string(),
  /** 0-based in the trajectory, ascending, at least two, not all adjacent. */
  supportingTurns: z.array(z.int()),
  evidence: z.array(evidenceSchema),
  qaType: qaTypeSchema,
  derivation: derivationSchema.nullable(),
  verification: verificationSchema,
  /** False where question or answer holds a placeholder of redaction. */
  portable: z.boolean(),
  /** The model that answered, or `rules`. */
  sourceModel: z.string(),
  requestedModel: z.string(),
  promptVersion: z.string(),
  /** This pair's share of its segment's calls; null where a call's cost is unknown, 0 where there was none. */
  costUsd: z.number().nullable(),
  /** JSON text of what the compiler proposed, before gates. */
  rawExtraction: z.string(),
  createdAt: z.string(),
});
export type QaPair = z.infer<typeof qaPairSchema>;

/** A proposed pair that a gate refused, kept with its reason. */
export const rejectedPairSchema = z.object({
  /** SHA-256 hex over segment id, compiler version and what was proposed. */
  key: z.string(),
  segmentId: z.string(),
  /** Reason code, a label of `tc_pair_rejections_total`. */
  reason: z.string(),
  detail: z.string(),
  question: z.string().nullable(),
  answer: z.string().nullable(),
  /** JSON text of what was proposed. */
  rawExtraction: z.string(),
});
export type RejectedPair = z.infer<typeof rejectedPairSchema>;

/** One call of a model, whatever came of it. */
export const modelCallSchema = z.object({
  id: z.string(),
  segmentId: z.string(),
  stage: z.enum(['compile', 'verify']),
  provider: z.string(),
  requestedModel: z.string(),
  /** The model that answered, as the provider names it; null where none did. */
  model: z.string().nullable(),
  serviceTier: z.string(),
  /** SHA-256 hex of the prompt; with model and settings the key of the call store. */
  promptHash: z.string(),
  /** Includes `cachedTokens`. */
  promptTokens: z.int().nullable(),
  cachedTokens: z.int().nullable(),
  /** Excludes `thinkingTokens`. */
  outputTokens: z.int().nullable(),
  thinkingTokens: z.int().nullable(),
  /** Null where the price is not known, never 0. */
  costUsd: z.number().nullable(),
  costSource: z.string().nullable(),
  startedAt: z.string(),
  durationMs: z.number(),
  /** `ok`, or why there is no usable answer. */
  outcome: z.string(),
  finishReason: z.string().nullable(),
  parseMode: z.string().nullable(),
});
export type ModelCall = z.infer<typeof modelCallSchema>;

/** What became of one segment. */
export const segmentOutcomeSchema = z.object({
  segment: segmentSchema,
  outcome: z.enum(['compiled', 'no_structure', 'skipped', 'failed']),
  reason: z.string().nullable(),
});
export type SegmentOutcome = z.infer<typeof segmentOutcomeSchema>;

export const compilerVersionSchema = z.object({
  kind: z.enum(['rules', 'llm']),
  tier: z.enum(['rules', 'cheap', 'strong']),
  model: z.string(),
  promptVersion: z.string(),
  redaction: z.string(),
});
export type CompilerVersion = z.infer<typeof compilerVersionSchema>;

/** What makes two compiles of a segment the same work: kind, model, prompt and redaction policy. */
export function compilerKey({ kind, model, promptVersion, redaction }: CompilerVersion): string {
  return [kind, model, promptVersion, redaction].join(' ');
}

/** Everything that one trajectory produced. Its turns are what may be stored: redacted where redaction is on. */
export const compiledSchema = z.object({
  spec: z.literal('compiled/1'),
  trajectory: trajectorySchema,
  compiler: compilerVersionSchema,
  segments: z.array(segmentOutcomeSchema),
  pairs: z.array(qaPairSchema),
  rejected: z.array(rejectedPairSchema),
  calls: z.array(modelCallSchema),
  compiledAt: z.string(),
  /** Values that were redacted, by kind. */
  redactions: z.record(z.string(), z.number()).optional(),
  /** Where `trajectory.turns` is empty because they travel as `compiled_turns/1`: how many they are. */
  turnsApart: z.int().positive().optional(),
});
export type Compiled = z.infer<typeof compiledSchema>;

/** Some turns of a compiled trajectory, in a message of their own so that none is too large. */
export const compiledTurnsSchema = z.object({
  spec: z.literal('compiled_turns/1'),
  trajectoryId: z.string(),
  sessionId: z.string(),
  compiler: compilerVersionSchema,
  compiledAt: z.string(),
  /** Index in the trajectory of the first of them. */
  first: z.int().nonnegative(),
  turns: z.array(turnSchema),
});
export type CompiledTurns = z.infer<typeof compiledTurnsSchema>;

/** Verdicts on pairs that are in the dataset already. On no topic: whoever asks for them writes them to the sinks. */
export interface Verified {
  spec: 'verified/1';
  trajectoryId: string;
  sessionId: string;
  /** As they are in the dataset, with the new verdict. */
  pairs: QaPair[];
  calls: ModelCall[];
  /** ISO 8601, UTC. */
  verifiedAt: string;
}

const timestampPattern =
  /^(\d{4,})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?$/;

/**
 * Microseconds of a Postgres or ISO timestamp text; `infinity` and `-infinity` are the infinities; null where the text
 * is no timestamp (a `BC` date, say). Text without a zone counts as UTC, which every connection here is pinned to.
 */
export function microsOf(text: string): Micros | null {
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  if (text === '-infinity') return Number.NEGATIVE_INFINITY;
  const m = timestampPattern.exec(text);
  if (m === null) return null;
  const zone = m[8] === undefined ? 0 : (m[8] === '-' ? -1 : 1) * (Number(m[9]) * 60 + Number(m[10] ?? 0));
  const ms = Date.UTC(Number(m[1]), Number(m[2]) - 1, Number(m[3]), Number(m[4]), Number(m[5]) - zone, Number(m[6]));
  return ms * 1000 + Number((m[7] ?? '').padEnd(6, '0'));
}

/** ISO 8601 with microseconds, UTC. */
export function isoOf(at: Micros): string {
  const ms = Math.floor(at / 1000);
  const micros = String(at - ms * 1000).padStart(3, '0');
  return new Date(ms).toISOString().replace('Z', `${micros}Z`);
}
