/** One message as the rows of the dataset, by table and column. Pure: the same message always gives the same rows. */
import { createHash } from 'node:crypto';
import { type RowOf, type TableName, tables } from '../dataset-tables.ts';
import { park } from '../errors.ts';
import {
  type Compiled,
  type CompiledTurns,
  compilerKey,
  isoOf,
  type ModelCall,
  microsOf,
  type QaPair,
  type RejectedPair,
  type SegmentOutcome,
  type Turn,
  turnSchema,
  type Verification,
  type Verified,
} from '../records.ts';
import { storableRow, storableText } from '../storable-text.ts';
import {
  generationOfMessage,
  generationOfSegment,
  generationOfTurn,
  generationOfVerdict,
  generationOfVerdicts,
} from './generation.ts';
import type { SinkMessage } from './sink.ts';

/** No two rows of a table have the same key. */
export type Rows = { [T in TableName]: RowOf<T>[] };

interface Context {
  compiled: Compiled;
  version: string;
  /** Of the message, and of each of its segments. */
  generation: string;
  generations: Map<string, string>;
}

/** @throws OperatorError, parking, where the message contradicts itself. */
export function rowsOf(message: SinkMessage): Rows {
  if (message.spec === 'compiled_turns/1') {
    return { ...noRows, trajectory_turns: storable('trajectory_turns', turnRows(message)) };
  }
  if (message.spec === 'verified/1') return verdictRows(message);
  const generation = generationOfMessage(message);
  const generations = new Map(message.segments.map((it) => [it.segment.id, generationOfSegment(it, generation)]));
  const context = { compiled: message, version: compilerKey(message.compiler), generation, generations };
  return {
    trajectories: storable('trajectories', [trajectoryRow(context)]),
    trajectory_turns: storable('trajectory_turns', turnRows(message)),
    verdicts: storable('verdicts', message.pairs.map(verdictRow)),
    qa_pairs: storable(
      'qa_pairs',
      message.pairs.map((pair) => pairRow(pair, context)),
    ),
    rejections: storable(
      'rejections',
      message.rejected.map((rejected) => rejectionRow(rejected, context)),
    ),
    llm_calls: storable(
      'llm_calls',
      message.calls.map((call) => callRow(call, generation)),
    ),
    compilations: storable('compilations', [compilationRow(context)]),
    segments: storable(
      'segments',
      message.segments.map((outcome) => segmentRow(outcome, context)),
    ),
  };
}

const noRows: Rows = {
  trajectories: [],
  trajectory_turns: [],
  verdicts: [],
  qa_pairs: [],
  rejections: [],
  llm_calls: [],
  compilations: [],
  segments: [],
};

function verdictRows(message: Verified): Rows {
  const calls = message.calls.map((call) => callRow(call, generationOfVerdicts(message)));
  return {
    ...noRows,
    verdicts: storable('verdicts', message.pairs.map(verdictRow)),
    llm_calls: storable('llm_calls', calls),
  };
}

/** As every database can hold them; of rows with one key the first. */
function storable<T extends TableName>(table: T, rows: RowOf<T>[]): RowOf<T>[] {
  const byKey = new Map<string, RowOf<T>>();
  for (const row of rows) {
    const held: Record<string, unknown> = storableRow(table, row);
    const key = JSON.stringify(tables[table].key.map((column) => held[column]));
    if (!byKey.has(key)) byKey.set(key, held as RowOf<T>);
  }
  return [...byKey.values()];
}

/** The row's `id`, shaped as a UUID so that it fits where the published table has one. */
export function idOfPair(pairKey: string): string {
  const hex = createHash('sha256').update(pairKey).digest('hex');
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4];
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

function trajectoryRow({ compiled, generation }: Context): RowOf<'trajectories'> {
  const { trajectory, turnsApart } = compiled;
  return {
    id: trajectory.id,
    source: trajectory.source,
    session_id: trajectory.sessionId,
    part: trajectory.part,
    agents: JSON.stringify(trajectory.agents),
    turn_count: turnsApart ?? trajectory.turns.length,
    started_at: isoOf(trajectory.startedAt),
    ended_at: isoOf(trajectory.endedAt),
    closed_by: trajectory.closedBy,
    content_hash: trajectory.contentHash,
    generation,
  };
}

function turnRows(message: Compiled | CompiledTurns): RowOf<'trajectory_turns'>[] {
  if (message.spec === 'compiled_turns/1') {
    const { trajectoryId, first, turns } = message;
    return turns.map((turn, index) => turnRow(message, trajectoryId, first + index, turn));
  }
  const { id, turns } = message.trajectory;
  return turns.map((turn, index) => turnRow(message, id, index, turn));
}

function turnRow(
  message: Compiled | CompiledTurns,
  trajectoryId: string,
  index: number,
  turn: Turn,
): RowOf<'trajectory_turns'> {
  // Parsed for the order of its fields, which is the sender's otherwise.
  const { digest = null, ...told } = turnSchema.parse(turn);
  const body = JSON.stringify(told);
  return {
    trajectory_id: trajectoryId,
    turn: index,
    row_key: turn.rowKey,
    body,
    digest,
    generation: generationOfTurn(message, body, digest),
  };
}

function compilationRow({ compiled, version, generation }: Context): RowOf<'compilations'> {
  const complete = compiled.segments.every(({ outcome }) => outcome !== 'failed');
  return {
    trajectory_id: compiled.trajectory.id,
    compiler_version: version,
    compiled_at: compiled.compiledAt,
    complete: complete ? 1 : 0,
    segments: compiled.segments.length,
    pairs: compiled.pairs.length,
    rejected: compiled.rejected.length,
    // A later failure does not undo what was completed.
    generation: `${complete ? 1 : 0} ${generation}`,
  };
}

function segmentRow(
  { segment, outcome, reason }: SegmentOutcome,
  { version, generations }: Context,
): RowOf<'segments'> {
  return {
    id: segment.id,
    compiler_version: version,
    trajectory_id: segment.trajectoryId,
    session_id: segment.sessionId,
    first_turn: segment.firstTurn,
    last_turn: segment.lastTurn,
    fingerprint: segment.fingerprint,
    topic: segment.topic,
    metrics: JSON.stringify(segment.metrics),
    share_seen: segment.shareSeen,
    outcome,
    reason,
    // Set for all compiles of the segment together, once its rows are in.
    status: 'superseded',
    generation: generations.get(segment.id)!,
  };
}

function pairRow(pair: QaPair, context: Context): RowOf<'qa_pairs'> {
  const turns = pair.supportingTurns;
  return {
    id: idOfPair(pair.pairKey),
    session_id: pair.sessionId,
    agent: pair.agent,
    turn_count: pair.turnCount,
    question: pair.question,
    answer: pair.answer,
    supporting_turns: JSON.stringify(turns),
    qa_type: pair.qaType,
    source_model: pair.sourceModel,
    cost_usd: pair.costUsd,
    raw_extraction: pair.rawExtraction,
    created_at: pair.createdAt,
    pair_key: pair.pairKey,
    segment_id: pair.segmentId,
    trajectory_id: pair.trajectoryId,
    part: pair.part,
    hops: turns.length,
    span: turns.length === 0 ? 0 : Math.max(...turns) - Math.min(...turns),
    evidence: JSON.stringify(pair.evidence),
    derivation: pair.derivation === null ? null : JSON.stringify(pair.derivation),
    verification: pair.verification.status,
    verification_reason: pair.verification.reason,
    status: 'superseded',
    portable: pair.portable ? 1 : 0,
    prompt_version: pair.promptVersion,
    requested_model: pair.requestedModel,
    compiler_version: context.version,
    content_hash: contentHashOf(pair),
    ...verdictColumns(pair.verification),
    generation: generationFor(pair.segmentId, context),
  };
}

function verdictRow(pair: QaPair): RowOf<'verdicts'> {
  return {
    pair_key: pair.pairKey,
    content_hash: contentHashOf(pair),
    session_id: pair.sessionId,
    verification: pair.verification.status,
    verification_reason: pair.verification.reason,
    ...verdictColumns(pair.verification),
    generation: generationOfVerdict(pair),
  };
}

function verdictColumns({ version, at, sameFamily }: Verification) {
  return {
    verdict_version: version ?? null,
    verified_at: at === undefined ? null : isoOf(microsOf(at) ?? 0),
    same_family: sameFamily === undefined ? null : Number(sameFamily),
  };
}

/** Of what a verdict is about, as the dataset holds it: whoever reads the pair there has the same. */
function contentHashOf({ question, answer, supportingTurns }: QaPair): string {
  const told = [storableText(question), storableText(answer), supportingTurns];
  return createHash('sha256').update(JSON.stringify(told)).digest('hex');
}

function rejectionRow(rejected: RejectedPair, context: Context): RowOf<'rejections'> {
  return {
    key: rejected.key,
    segment_id: rejected.segmentId,
    trajectory_id: context.compiled.trajectory.id,
    session_id: context.compiled.trajectory.sessionId,
    reason: rejected.reason,
    detail: rejected.detail,
    question: rejected.question,
    answer: rejected.answer,
    raw_extraction: rejected.rawExtraction,
    compiler_version: context.version,
    status: 'superseded',
    generation: generationFor(rejected.segmentId, context),
  };
}

function callRow(call: ModelCall, generation: string): RowOf<'llm_calls'> {
  return {
    id: call.id,
    segment_id: call.segmentId,
    stage: call.stage,
    provider: call.provider,
    requested_model: call.requestedModel,
    model: call.model,
    service_tier: call.serviceTier,
    prompt_hash: call.promptHash,
    prompt_tokens: call.promptTokens,
    cached_tokens: call.cachedTokens,
    output_tokens: call.outputTokens,
    thinking_tokens: call.thinkingTokens,
    cost_usd: call.costUsd,
    cost_source: call.costSource,
    started_at: call.startedAt,
    duration_ms: call.durationMs,
    outcome: call.outcome,
    finish_reason: call.finishReason,
    parse_mode: call.parseMode,
    generation,
  };
}

function generationFor(segmentId: string, { compiled, generations }: Context): string {
  const generation = generations.get(segmentId);
  if (generation !== undefined) return generation;
  throw park('bad_message', `trajectory ${compiled.trajectory.id} has a pair of segment ${segmentId}, which it lacks`);
}
