/**
 * The dataset's file, `qa_pairs.sqlite`: a leaf, since the sink writes it and the reading side reads it. `qa_pairs`
 * begins with its published columns; ours follow. Texts that hold structure are JSON, times are ISO 8601, money is US dollars with null where it is unknown.
 *
 * `generation` orders compiles of one segment (sinks/generation.ts); `status` says which of them is in force.
 */
import { storeByTurn } from './dataset-by-turn.ts';
import { groupQuestions } from './dataset-groups.ts';
import { stop } from './errors.ts';
import type { Migration, SqliteDatabase } from './sqlite.ts';

export const publishedColumns = [
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
] as const;

/** Schema 1. */
const tables = `
  CREATE TABLE qa_pairs (
    id TEXT PRIMARY KEY NOT NULL,
    session_id TEXT,
    agent TEXT,
    turn_count INTEGER,
    question TEXT,
    answer TEXT,
    -- JSON array, 0-based in the trajectory.
    supporting_turns TEXT,
    qa_type TEXT,
    source_model TEXT,
    cost_usd REAL,
    raw_extraction TEXT,
    created_at TEXT,
    pair_key TEXT NOT NULL UNIQUE,
    -- Null for pairs that were here before this program.
    segment_id TEXT,
    trajectory_id TEXT,
    part INTEGER,
    hops INTEGER,
    span INTEGER,
    evidence TEXT,
    derivation TEXT,
    verification TEXT NOT NULL,
    verification_reason TEXT,
    status TEXT NOT NULL,
    duplicate_of TEXT,
    portable INTEGER,
    prompt_version TEXT,
    requested_model TEXT,
    compiler_version TEXT,
    generation TEXT
  );
  CREATE INDEX qa_pairs_by_session ON qa_pairs (session_id);
  CREATE INDEX qa_pairs_by_segment ON qa_pairs (segment_id);
  CREATE TABLE sessions (
    source TEXT NOT NULL,
    session_id TEXT NOT NULL,
    trajectories INTEGER NOT NULL,
    turns INTEGER NOT NULL,
    agents TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    PRIMARY KEY (source, session_id)
  ) WITHOUT ROWID;
  CREATE TABLE trajectories (
    id TEXT PRIMARY KEY NOT NULL,
    source TEXT NOT NULL,
    session_id TEXT NOT NULL,
    part INTEGER NOT NULL,
    agents TEXT NOT NULL,
    turn_count INTEGER NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    closed_by TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    -- JSON array of turns, zlib; schema 2 takes it apart.
    turns BLOB NOT NULL,
    generation TEXT NOT NULL
  );
  CREATE INDEX trajectories_by_session ON trajectories (source, session_id);
  CREATE TABLE trajectory_rows (
    row_key TEXT NOT NULL,
    trajectory_id TEXT NOT NULL,
    PRIMARY KEY (row_key, trajectory_id)
  ) WITHOUT ROWID;
  -- One row for each trajectory and compiler version that has worked on it.
  CREATE TABLE compilations (
    trajectory_id TEXT NOT NULL,
    compiler_version TEXT NOT NULL,
    compiled_at TEXT NOT NULL,
    -- 0 where a segment failed: to be compiled again.
    complete INTEGER NOT NULL,
    segments INTEGER NOT NULL,
    pairs INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    generation TEXT NOT NULL,
    PRIMARY KEY (trajectory_id, compiler_version)
  ) WITHOUT ROWID;
  CREATE TABLE segments (
    id TEXT NOT NULL,
    compiler_version TEXT NOT NULL,
    trajectory_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    first_turn INTEGER NOT NULL,
    last_turn INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    topic TEXT,
    metrics TEXT NOT NULL,
    share_seen REAL NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    status TEXT NOT NULL,
    generation TEXT NOT NULL,
    PRIMARY KEY (id, compiler_version)
  );
  CREATE INDEX segments_by_trajectory ON segments (trajectory_id);
  CREATE TABLE rejections (
    key TEXT PRIMARY KEY NOT NULL,
    segment_id TEXT NOT NULL,
    trajectory_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    question TEXT,
    answer TEXT,
    raw_extraction TEXT NOT NULL,
    compiler_version TEXT NOT NULL,
    status TEXT NOT NULL,
    generation TEXT NOT NULL
  );
  CREATE INDEX rejections_by_segment ON rejections (segment_id);
  CREATE TABLE llm_calls (
    id TEXT PRIMARY KEY NOT NULL,
    segment_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    provider TEXT NOT NULL,
    requested_model TEXT NOT NULL,
    model TEXT,
    service_tier TEXT NOT NULL,
    prompt_hash TEXT NOT NULL,
    prompt_tokens INTEGER,
    cached_tokens INTEGER,
    output_tokens INTEGER,
    thinking_tokens INTEGER,
    cost_usd REAL,
    cost_source TEXT,
    started_at TEXT NOT NULL,
    duration_ms REAL NOT NULL,
    outcome TEXT NOT NULL,
    finish_reason TEXT,
    parse_mode TEXT,
    generation TEXT NOT NULL
  );
`;

export const datasetMigrations: readonly Migration[] = [
  (db) => {
    const columns = columnsOf(db, 'qa_pairs');
    if (columns.length === 0) db.exec(tables);
    else adoptPublished(db, columns);
  },
  storeByTurn,
  // Keyed digest of the row as it was taken in; null for those of before.
  'ALTER TABLE trajectory_turns ADD COLUMN digest TEXT;',
  `-- Of question, answer and supporting turns: what a verdict is about. Null for pairs of before, whose verdict is that of
   -- the row until there is one in verdicts.
   ALTER TABLE qa_pairs ADD COLUMN content_hash TEXT;
   ALTER TABLE qa_pairs ADD COLUMN verdict_version TEXT;
   ALTER TABLE qa_pairs ADD COLUMN verified_at TEXT;
   ALTER TABLE qa_pairs ADD COLUMN same_family INTEGER;
   CREATE TABLE verdicts (
     pair_key TEXT NOT NULL,
     content_hash TEXT NOT NULL,
     session_id TEXT NOT NULL,
     verification TEXT NOT NULL,
     verification_reason TEXT,
     verdict_version TEXT,
     verified_at TEXT,
     same_family INTEGER,
     generation TEXT NOT NULL,
     PRIMARY KEY (pair_key, content_hash)
   ) WITHOUT ROWID;`,
  groupQuestions,
];

/** Takes over a file of the published shape, whatever the type of its id: its pairs stay, unverified. */
function adoptPublished(db: SqliteDatabase, columns: string[]): void {
  const missing = publishedColumns.filter((column) => !columns.includes(column));
  const foreign = columns.filter((column) => !(publishedColumns as readonly string[]).includes(column));
  if (missing.length > 0 || foreign.length > 0) {
    const faults = [
      ...(missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []),
      ...(foreign.length > 0 ? [`has ${foreign.join(', ')} besides`] : []),
    ];
    throw stop(
      'dataset_foreign',
      `table qa_pairs of ${db.name} is not of the published shape (${faults.join('; ')}): move the file away, or set another dataDir`,
    );
  }
  const names = publishedColumns.join(', ');
  // By a copy, not by renaming, which would follow into views of the owner's.
  db.exec(`CREATE TEMP TABLE published AS SELECT ${names} FROM main.qa_pairs; DROP TABLE main.qa_pairs;`);
  db.exec(tables);
  db.exec(`
    INSERT INTO qa_pairs (${names}, pair_key, verification, status)
    SELECT coalesce(id, 'row ' || rowid), ${publishedColumns.slice(1).join(', ')},
           'published:' || coalesce(id, 'row ' || rowid), 'unverified', 'active'
    FROM temp.published;
    DROP TABLE temp.published;
  `);
}

function columnsOf(db: SqliteDatabase, table: string): string[] {
  return db.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(table) as string[];
}
