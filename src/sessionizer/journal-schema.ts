/** The journal's tables. Steps are only ever appended. */
import type { Migration } from '../sqlite.ts';
import { enterOldRows } from './ledger-migration.ts';
import { logStates } from './state-migration.ts';

export const journalMigrations: readonly Migration[] = [
  `
  -- One row a fact about the whole file, as JSON.
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

  CREATE TABLE counters (
    name TEXT NOT NULL, label TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (name, label)
  ) WITHOUT ROWID;

  -- Every session that had a part end, so that part numbers are never given twice.
  CREATE TABLE sessions (session_id TEXT PRIMARY KEY, next_part INTEGER NOT NULL) WITHOUT ROWID;

  -- Open and held parts: all that a restart reads. Ids are never given again: chunks outlive their row here.
  CREATE TABLE parts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, part INTEGER NOT NULL, turns INTEGER NOT NULL,
    bytes INTEGER NOT NULL, first_at INTEGER NOT NULL, opened_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
    end_marker_at INTEGER, held INTEGER NOT NULL
  );

  CREATE INDEX parts_by_session ON parts (session_id);

  -- A log: appended at the end, deleted when its part is let go or forgotten.
  CREATE TABLE chunks (id INTEGER PRIMARY KEY, part_id INTEGER NOT NULL, heads TEXT NOT NULL, body TEXT NOT NULL);
  CREATE INDEX chunks_by_part ON chunks (part_id);

  -- The outbox: references to bodies, until they are forgotten.
  CREATE TABLE sealed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, trajectory_id TEXT NOT NULL UNIQUE, part_id INTEGER NOT NULL,
    session_id TEXT NOT NULL, part INTEGER NOT NULL, turns INTEGER NOT NULL, bytes INTEGER NOT NULL,
    first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, closed_by TEXT NOT NULL, published INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX sealed_by_session ON sealed (session_id);
  CREATE INDEX sealed_unpublished ON sealed (seq) WHERE published = 0;
  `,
  `
  -- For ever: a row of columns for up to 128 rows of one bucket. Keys and digests have 8 bytes each, parts 4, to be added
  -- to lowest_part. Little-endian.
  CREATE TABLE ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT, bucket INTEGER, lowest_part INTEGER NOT NULL, keys BLOB NOT NULL, digests BLOB,
    parts BLOB NOT NULL
  );
  CREATE INDEX ledger_by_bucket ON ledger (bucket);

  -- For ever: what became of each part that ended. One of the two is null.
  CREATE TABLE receipts (part_id INTEGER PRIMARY KEY, turns INTEGER NOT NULL, trajectory_id BLOB, reason TEXT);
  CREATE INDEX receipts_disowned ON receipts (part_id) WHERE reason = 'disowned';
  `,
  enterOldRows,
  `
  -- Each chunk names the one before it in its part (0: none), and each part the last. Numbers stay when chunks are moved.
  CREATE TABLE chained (
    id INTEGER PRIMARY KEY, number INTEGER NOT NULL, previous INTEGER NOT NULL, part_id INTEGER NOT NULL,
    heads TEXT NOT NULL, body TEXT NOT NULL
  );
  INSERT INTO chained SELECT id, id, coalesce(
    (SELECT max(id) FROM chunks AS c WHERE c.part_id = chunks.part_id AND c.id < chunks.id), 0
  ), part_id, heads, body FROM chunks ORDER BY id;
  CREATE UNIQUE INDEX chunks_by_number ON chained (number);
  ALTER TABLE sealed ADD COLUMN last_chunk INTEGER NOT NULL DEFAULT 0;
  UPDATE sealed SET last_chunk = coalesce((SELECT max(id) FROM chunks WHERE part_id = sealed.part_id), 0);

  -- A log: up to 200 entries of ten doubles a row, as in live-parts.ts.
  CREATE TABLE states (id INTEGER PRIMARY KEY AUTOINCREMENT, entries BLOB NOT NULL);
  `,
  logStates,
  `
  DROP TABLE chunks;
  ALTER TABLE chained RENAME TO chunks;

  -- Open and held parts; what changes of them is in the states. Ids are never given again.
  CREATE TABLE live_parts (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, part INTEGER NOT NULL);
  INSERT INTO sqlite_sequence (name, seq) SELECT 'live_parts', seq FROM sqlite_sequence WHERE name = 'parts';
  INSERT INTO live_parts SELECT id, session_id, part FROM parts ORDER BY id;
  DROP TABLE parts;
  ALTER TABLE live_parts RENAME TO parts;
  `,
  `
  ALTER TABLE sealed ADD COLUMN resent_at INTEGER;
  `,
];
