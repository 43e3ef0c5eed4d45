/**
 * The file of the embedded topics. Several topics share it.
 *
 * `messages` holds what some group has still to finish. Each registered group has one row of `deliveries` for each of
 * them, so that finishing is deleting, and what is left is the lag. Of a key only the first delivery is a `head` and may
 * be claimed: that is the order per key, across processes. A message without deliveries and dead letters goes; its id
 * stays in `finished_ids`, so that publishing it again changes nothing.
 *
 * Lanes take turns: a message gets a `turn` when it is published, the one after the last that waits in its lane, and no
 * earlier than the one that the group has come to. Those are claimed first whose turn is lowest, so a lane that published
 * a thousand at once is a thousand turns long and holds up no other. Without lanes all turns are equal, and age decides.
 */
import type { Migration } from '../sqlite.ts';

export const topicMigrations: readonly Migration[] = [
  `
  CREATE TABLE topics (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE groups (
    number INTEGER PRIMARY KEY,
    topic INTEGER NOT NULL REFERENCES topics,
    name TEXT NOT NULL,
    UNIQUE (topic, name)
  );
  CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic INTEGER NOT NULL REFERENCES topics,
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    published_at INTEGER NOT NULL,
    UNIQUE (topic, id)
  );
  CREATE TABLE finished_ids (topic INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (topic, id)) WITHOUT ROWID;
  CREATE TABLE deliveries (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    group_number INTEGER NOT NULL,
    seq INTEGER NOT NULL REFERENCES messages,
    key TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    head INTEGER NOT NULL,
    -- Epoch milliseconds before which nobody else may claim it: the end of a lease, or of a backoff.
    due_at INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0
  );
  CREATE INDEX deliveries_heads ON deliveries (group_number, place) WHERE head = 1;
  CREATE INDEX deliveries_by_key ON deliveries (group_number, key, place);
  CREATE INDEX deliveries_by_age ON deliveries (group_number, published_at);
  CREATE INDEX deliveries_by_message ON deliveries (seq);
  CREATE TABLE dead_letters (
    group_number INTEGER NOT NULL,
    seq INTEGER NOT NULL REFERENCES messages,
    attempts INTEGER NOT NULL,
    code TEXT NOT NULL,
    error TEXT NOT NULL,
    parked_at TEXT NOT NULL,
    PRIMARY KEY (group_number, seq)
  ) WITHOUT ROWID;
  CREATE INDEX dead_letters_by_message ON dead_letters (seq);
  `,
  `
  ALTER TABLE groups ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE messages ADD COLUMN lane TEXT;
  ALTER TABLE deliveries ADD COLUMN lane TEXT;
  ALTER TABLE deliveries ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
  DROP INDEX deliveries_heads;
  CREATE INDEX deliveries_heads ON deliveries (group_number, turn, place) WHERE head = 1;
  CREATE INDEX deliveries_by_lane ON deliveries (group_number, lane, turn) WHERE lane IS NOT NULL;
  `,
  'CREATE INDEX deliveries_owned ON deliveries (group_number, due_at) WHERE owner IS NOT NULL',
];
