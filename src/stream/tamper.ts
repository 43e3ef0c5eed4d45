/**
 * Notices updates and deletes of the append-only log by the table's statistics. Publishing them instead could make the
 * owner's own statements fail, where the table has no replica identity.
 */
import type pg from 'pg';
import type { AuditTable } from '../postgres/audit-table.ts';

export interface Tampering {
  updated: number;
  deleted: number;
}

/** The statistics count on the leaves of a partitioned table; of any other, pg_partition_tree knows nothing. */
export async function readTampering(client: pg.Pool, { oid }: Pick<AuditTable, 'oid'>): Promise<Tampering> {
  const { rows } = await client.query(
    `SELECT coalesce(sum(pg_stat_get_tuples_updated(relid)), 0) AS updated,
            coalesce(sum(pg_stat_get_tuples_deleted(relid)), 0) AS deleted
       FROM (SELECT relid FROM pg_partition_tree($1::oid::regclass) WHERE isleaf
             UNION SELECT $1::oid::regclass) AS leaves`,
    [String(oid)],
  );
  return { updated: Number(rows[0].updated), deleted: Number(rows[0].deleted) };
}

/** What happened between two readings. Counters that went down were reset: what they say now happened since. */
export function tamperedSince(before: Tampering, now: Tampering): Tampering {
  const since = (a: number, b: number) => (b >= a ? b - a : b);
  return { updated: since(before.updated, now.updated), deleted: since(before.deleted, now.deleted) };
}
