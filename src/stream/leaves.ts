/**
 * The tables that hold the log's rows: itself, or its partitions at the bottom. Which of them are new, whose rows never
 * reach the WAL, and what the statistics say was done to them.
 */
import type pg from 'pg';
import type { AuditTable } from '../postgres/audit-table.ts';
import { sqlState } from '../postgres/connection.ts';
import type { LogTable } from './tamper.ts';

export interface Leaf extends LogTable {
  /** As it is written in SQL. */
  name: string;
  /** Why its rows never reach the WAL, in words; null where they do. */
  unlogged: string | null;
  /** `FOR VALUES FROM … TO …`; null where it is no partition. */
  bounds: string | null;
  /** Transaction and command that made it a part of the log; null where it is the log itself. */
  joined: { xid: string; command: string } | null;
  /** That was lately: after {@link Leaves.seen} of the reading before. */
  lately: boolean;
}

export interface Leaves {
  leaves: Leaf[];
  /** Everything that this reading does not see has this transaction id or a later one. */
  seen: string;
}

/** @param since `seen` of the reading before; at the first, everything that the slot may still have to decode. */
export async function readLeaves(
  client: pg.Pool,
  { oid }: Pick<AuditTable, 'oid'>,
  { slot, since }: { slot: string; since: string | null },
): Promise<Leaves> {
  const { rows } = await client.query(
    `WITH since AS (SELECT coalesce($3::text::xid, (SELECT catalog_xmin FROM pg_replication_slots WHERE slot_name = $2)) AS xid),
     leaf AS (SELECT relid FROM pg_partition_tree($1::oid::regclass) WHERE isleaf UNION SELECT $1::oid::regclass),
     found AS (
       SELECT c.oid::text AS oid, leaf.relid::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bounds,
              CASE WHEN c.relkind = 'f' THEN 'a foreign table' WHEN c.relpersistence = 'u' THEN 'unlogged' END AS unlogged,
              j.xmin::text AS xid, j.cmin::text AS command, coalesce(age(j.xmin) <= age(since.xid), false) AS lately,
              coalesce(j.xmin = a.xmin, false) AS born,
              pg_stat_get_tuples_updated(c.oid) AS updated, pg_stat_get_tuples_deleted(c.oid) AS deleted
         FROM since, leaf JOIN pg_class c ON c.oid = leaf.relid
         -- System columns have rows here that nobody changes after the table was made.
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tableoid'
         -- The last of the tables above to become a part of the log decides.
         LEFT JOIN LATERAL (SELECT i.xmin, i.cmin FROM pg_partition_ancestors(leaf.relid) p
                              JOIN pg_inherits i ON i.inhrelid = p.relid ORDER BY age(i.xmin) LIMIT 1) j ON true)
     SELECT pg_snapshot_xmin(pg_current_snapshot())::xid::text AS seen, (SELECT json_agg(found) FROM found)::text AS leaves`,
    [String(oid), slot, since],
  );
  const leaves = JSON.parse(rows[0].leaves ?? '[]') as (Leaf & { xid: string | null; command: string })[];
  return {
    seen: rows[0].seen,
    leaves: leaves.map(({ xid, command, ...leaf }) => ({ ...leaf, joined: xid === null ? null : { xid, command } })),
  };
}

/** A heap fills from its front, so rows that were there first are there. */
const blocksToLookAt = 128;

/**
 * Whether a partition has rows that were written before it became a part of the log: those are in no stream. A row of a
 * transaction that is older and wrote later counts as well, wrongly.
 */
export async function hasEarlierRows(client: pg.Pool, { oid, name, joined, born }: Leaf): Promise<boolean> {
  if (joined === null) return false;
  try {
    const { rows } = await client.query(
      `SELECT EXISTS (SELECT FROM ${name} AS r WHERE ctid < '(${blocksToLookAt},0)'
                        AND (age(r.xmin) > age($1::text::xid)
                             OR (r.xmin = $1::text::xid AND r.cmin::text::bigint < $2::text::bigint)))::text AS found`,
      [joined.xid, joined.command],
    );
    return rows[0].found === 'true';
  } catch (error) {
    // A role that may read the log need not be allowed to read its partitions: what is left is whether it came filled.
    if (sqlState(error) !== '42501') throw error;
    const { rows } = await client.query('SELECT (pg_relation_size($1::oid) > 0)::text AS filled', [oid]);
    return !born && rows[0].filled === 'true';
  }
}
