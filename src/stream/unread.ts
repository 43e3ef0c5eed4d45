/** What a first start from now leaves unread: history can cost money, so it is left out, and said. */
import type pg from 'pg';
import type { AuditTable } from '../postgres/audit-table.ts';
import type { Lsn } from '../records.ts';
import { parseLsn } from './lsn.ts';
import { type Shard, shardCondition } from './shard.ts';

/** Rows that the table held when everything before `lsn` was written. */
export interface Counted {
  lsn: Lsn;
  /** Null where the role may not read the table, which streaming does not need. */
  rows: number | null;
}

/** Beyond this the exact number tells an operator nothing, and counting costs. */
const countedAtMost = 100_000;

export async function countRows(pool: pg.Pool, table: AuditTable, shard: Shard | undefined): Promise<Counted> {
  const where = shard === undefined ? '' : ` WHERE ${shardCondition(table, shard)}`;
  const counted = `SELECT count(*) AS n FROM (SELECT FROM ${table.sql}${where} LIMIT ${countedAtMost + 1}) AS held`;
  const rows = await pool.query(counted).then(
    (result) => Number(result.rows[0].n),
    () => null,
  );
  const { rows: position } = await pool.query('SELECT pg_current_wal_insert_lsn() AS lsn');
  return { lsn: parseLsn(position[0].lsn), rows };
}

/** The sentence for the operator once `streamed` rows came out of the slot up to that position; null where none is due. */
export function unreadSentence({ schema, name }: AuditTable, { rows }: Counted, streamed: number): string | null {
  const how = 'read them with run --from beginning into a fresh data directory, or with compile';
  if (rows === null)
    return `first start: rows of ${schema}.${name} that are older than the slot are left unread: ${how}`;
  const unread = rows - streamed;
  if (unread <= 0) return null;
  const atLeast = rows > countedAtMost ? 'more than ' : '';
  return `first start: ${atLeast}${unread.toLocaleString('en')} older rows of ${schema}.${name} are left unread: ${how}`;
}
