/**
 * The dataset's tables as data: a leaf, from which the sinks write their statements and the reading side reads rows.
 *
 * In the order of writing: `segments` come last, since they put what was written before them in force. `sessions` is not
 * among them, it follows from `trajectories`.
 *
 * Two rows of one `key` are settled by `generation`, text compared byte by byte (`COLLATE "C"`): the greater one stays,
 * of calls the smaller one, since a recorded answer that was used again appears with its call again and was paid for the
 * first time. `json` columns hold JSON text. `later` columns are set by passes over the dataset, by no message, and
 * `status` follows from the segment: a row that replaces another leaves both as they are.
 *
 * What a pair's columns of verification say follows from `verdicts`: of those on the same content the greatest. So a
 * compile that is delivered again undoes no later verdict, and no verdict is taken for one on another answer.
 */
export const tables = {
  trajectories: {
    key: ['id'],
    wins: 'greatest',
    json: ['agents'],
    later: [],
    columns: [
      'id',
      'source',
      'session_id',
      'part',
      'agents',
      'turn_count',
      'started_at',
      'ended_at',
      'closed_by',
      'content_hash',
      'generation',
    ],
  },
  // `body` is the turn's JSON text, to be kept as it is: bytes, or a text column, not `jsonb`. `digest` is of the row as it
  // was taken in, and stands beside the body: that may be redacted.
  trajectory_turns: {
    key: ['trajectory_id', 'turn'],
    wins: 'greatest',
    json: [],
    later: [],
    columns: ['trajectory_id', 'turn', 'row_key', 'body', 'digest', 'generation'],
  },
  verdicts: {
    key: ['pair_key', 'content_hash'],
    wins: 'greatest',
    json: [],
    later: [],
    columns: [
      'pair_key',
      'content_hash',
      'session_id',
      'verification',
      'verification_reason',
      'verdict_version',
      'verified_at',
      'same_family',
      'generation',
    ],
  },
  qa_pairs: {
    key: ['id'],
    wins: 'greatest',
    json: ['supporting_turns', 'evidence', 'derivation', 'raw_extraction'],
    later: ['duplicate_of'],
    columns: [
      'id',
      'session_id',
      'agent',
      'turn_count',
      'question',
      'answer',
      'supporting_turns',
      'qa_type',
      'source_model',
      'cost_usd',
      'raw_extraction',
      'created_at',
      'pair_key',
      'segment_id',
      'trajectory_id',
      'part',
      'hops',
      'span',
      'evidence',
      'derivation',
      'verification',
      'verification_reason',
      'status',
      'portable',
      'prompt_version',
      'requested_model',
      'compiler_version',
      'content_hash',
      'verdict_version',
      'verified_at',
      'same_family',
      'generation',
    ],
  },
  rejections: {
    key: ['key'],
    wins: 'greatest',
    json: ['raw_extraction'],
    later: [],
    columns: [
      'key',
      'segment_id',
      'trajectory_id',
      'session_id',
      'reason',
      'detail',
      'question',
      'answer',
      'raw_extraction',
      'compiler_version',
      'status',
      'generation',
    ],
  },
  llm_calls: {
    key: ['id'],
    wins: 'smallest',
    json: [],
    later: [],
    columns: [
      'id',
      'segment_id',
      'stage',
      'provider',
      'requested_model',
      'model',
      'service_tier',
      'prompt_hash',
      'prompt_tokens',
      'cached_tokens',
      'output_tokens',
      'thinking_tokens',
      'cost_usd',
      'cost_source',
      'started_at',
      'duration_ms',
      'outcome',
      'finish_reason',
      'parse_mode',
      'generation',
    ],
  },
  compilations: {
    key: ['trajectory_id', 'compiler_version'],
    wins: 'greatest',
    json: [],
    later: [],
    columns: [
      'trajectory_id',
      'compiler_version',
      'compiled_at',
      'complete',
      'segments',
      'pairs',
      'rejected',
      'generation',
    ],
  },
  segments: {
    key: ['id', 'compiler_version'],
    wins: 'greatest',
    json: ['metrics'],
    later: [],
    columns: [
      'id',
      'compiler_version',
      'trajectory_id',
      'session_id',
      'first_turn',
      'last_turn',
      'fingerprint',
      'topic',
      'metrics',
      'share_seen',
      'outcome',
      'reason',
      'status',
      'generation',
    ],
  },
} as const;

/** A row of the audit log, in one trajectory of the dataset that holds it. */
export interface HeldRow {
  trajectoryId: string;
  /** Null where it was taken in before rows were digested. */
  digest: string | null;
}

export type TableName = keyof typeof tables;
export const tableNames = Object.keys(tables) as TableName[];

export type Cell = string | number | null;
export type Row = Record<string, Cell>;
export type RowOf<T extends TableName> = Record<(typeof tables)[T]['columns'][number], Cell>;
