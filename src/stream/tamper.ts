/**
 * Updates and deletes of the append-only log, by the statistics of the tables that hold its rows. Publishing them instead
 * could make the owner's own statements fail, where the table has no replica identity.
 */

/** Rows, since the table was made or its statistics were reset. */
export interface Tampering {
  updated: number;
  deleted: number;
}

/** A table that holds rows of the log. */
export interface LogTable extends Tampering {
  oid: string;
  /** Made as a part of the log: all that was ever done to it was done to the log. */
  born: boolean;
}

/**
 * What happened between two readings. Counters that went down were reset: what they say now happened since. What was done
 * to a table before it became a part of the log does not count, and one that left it takes nothing with it.
 */
export function tamperedSince(before: readonly LogTable[], now: readonly LogTable[]): Tampering {
  const earlier = new Map(before.map((table) => [table.oid, table]));
  const since = (a: number, b: number) => (b >= a ? b - a : b);
  const sum = { updated: 0, deleted: 0 };
  for (const table of now) {
    const first = table.born ? { updated: 0, deleted: 0 } : table;
    const { updated, deleted } = earlier.get(table.oid) ?? first;
    sum.updated += since(updated, table.updated);
    sum.deleted += since(deleted, table.deleted);
  }
  return sum;
}
