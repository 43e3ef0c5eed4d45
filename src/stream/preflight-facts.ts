/** What the server says of itself, in one question each, in a form that versions 14 to 18 understand. */
import type { AuditTable } from '../postgres/audit-table.ts';
import type { Queryable } from './setup-faults.ts';

export interface ServerRoom {
  slots: number;
  maxSlots: number;
  senders: number;
  maxSenders: number;
  /** `max_slot_wal_keep_size` in bytes; -1 for no limit. */
  keepBytes: number;
  /** Of WAL, on average since the server's statistics were reset; null where that is too short a time. */
  walBytesPerSecond: number | null;
  /** `idle_replication_slot_timeout`; 0 for none, and before PostgreSQL 18. */
  idleSlotSeconds: number;
  /** 0 for none. */
  walSenderTimeoutMs: number;
  /** Of the oldest transaction that has written and not ended, as far as the role may see. */
  oldestWrite: { seconds: number; pid: number } | null;
  oldestPrepared: { seconds: number; gid: string } | null;
  /** The role may not see the transactions of others. */
  blind: boolean;
  /** TLS on this connection. */
  encrypted: boolean;
  /** By the server, milliseconds since 1970. */
  now: number;
  /** Null before PostgreSQL 17. */
  synchronizedStandbySlots: string | null;
  /** Of the slot, since its statistics were reset: what did not fit `logical_decoding_work_mem`. */
  spilledBytes: number;
  decodingMemory: string;
  /** The server counts what is done to tables. */
  counts: boolean;
  /** Connections that the role may have at once; -1 for no limit. */
  connectionLimit: number;
}

export async function readRoom(client: Queryable, slot: string): Promise<ServerRoom> {
  const { rows } = await client.query(
    `SELECT json_build_object(
       'slots', (SELECT count(*) FROM pg_replication_slots),
       'maxSlots', current_setting('max_replication_slots')::int,
       'senders', (SELECT count(*) FROM pg_stat_replication),
       'maxSenders', current_setting('max_wal_senders')::int,
       'keepBytes', (SELECT CASE WHEN setting = '-1' THEN -1 ELSE setting::bigint * 1048576 END
                       FROM pg_settings WHERE name = 'max_slot_wal_keep_size'),
       'walBytesPerSecond', (SELECT wal_bytes / extract(epoch FROM now() - stats_reset) FROM pg_stat_wal
                       WHERE now() - stats_reset > interval '1 hour'),
       'idleSlotSeconds', coalesce((SELECT setting::int * CASE unit WHEN 'min' THEN 60 ELSE 1 END
                       FROM pg_settings WHERE name = 'idle_replication_slot_timeout'), 0),
       'walSenderTimeoutMs', (SELECT setting::int FROM pg_settings WHERE name = 'wal_sender_timeout'),
       'oldestWrite', (SELECT json_build_object('seconds', extract(epoch FROM clock_timestamp() - xact_start), 'pid', pid)
                       FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND xact_start IS NOT NULL
                      ORDER BY xact_start LIMIT 1),
       'oldestPrepared', (SELECT json_build_object('seconds', extract(epoch FROM clock_timestamp() - prepared), 'gid', gid)
                       FROM pg_prepared_xacts ORDER BY prepared LIMIT 1),
       'blind', NOT pg_has_role('pg_read_all_stats', 'USAGE'),
       'encrypted', coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
       'now', extract(epoch FROM clock_timestamp()) * 1000,
       'synchronizedStandbySlots', current_setting('synchronized_standby_slots', true),
       'spilledBytes', coalesce((SELECT spill_bytes FROM pg_stat_replication_slots WHERE slot_name = $1), 0),
       'decodingMemory', current_setting('logical_decoding_work_mem'),
       'counts', current_setting('track_counts')::bool,
       'connectionLimit', (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user))::text AS room`,
    [slot],
  );
  return JSON.parse(rows[0].room) as ServerRoom;
}

export interface TableRoom {
  mayRead: boolean;
  /** Row level security would hide rows from this role. */
  rowSecurity: boolean;
  /** No two rows can have the same key; `with_more`: the same key and the same further columns. */
  keyUnique: 'alone' | 'with_more' | 'no';
  keyNullable: boolean;
  /** Null where the table has no time column. */
  timeIndexed: boolean | null;
  /** Names of partitions whose rows never reach the WAL. */
  unlogged: string[];
}

export async function readTableRoom(client: Queryable, { oid, mapping }: AuditTable): Promise<TableRoom> {
  const { names, at } = mapping;
  const key = names[at.key];
  const time = at.time < 0 ? null : names[at.time];
  const { rows } = await client.query(
    `WITH usable AS (
       SELECT i.indisunique AS is_unique, i.indnkeyatts AS columns,
              i.indkey[0] AS first_column, (i.indkey::int2[])[0:i.indnkeyatts - 1] AS key_columns
         FROM pg_index i WHERE i.indrelid = $1::oid AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL),
     col AS (SELECT attname AS name, attnum AS number, attnotnull AS required
               FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped)
     SELECT json_build_object(
       'mayRead', (SELECT bool_and(has_column_privilege($1::oid, number, 'SELECT')) FROM col WHERE name = ANY ($4)),
       'rowSecurity', row_security_active($1::oid),
       'keyUnique', coalesce((SELECT CASE WHEN bool_or(columns = 1) THEN 'alone' ELSE 'with_more' END
                       FROM usable, col WHERE is_unique AND name = $2 AND number = ANY (key_columns) HAVING count(*) > 0), 'no'),
       'keyNullable', (SELECT NOT required FROM col WHERE name = $2),
       'timeIndexed', CASE WHEN $3::text IS NULL THEN NULL
                      ELSE EXISTS (SELECT FROM usable, col WHERE name = $3 AND number = first_column) END,
       'unlogged', (SELECT coalesce(json_agg(relid::text), '[]') FROM pg_partition_tree($1::oid::regclass) t
                       JOIN pg_class c ON c.oid = t.relid WHERE isleaf AND relpersistence = 'u'))::text AS room`,
    [String(oid), key, time, names],
  );
  return JSON.parse(rows[0].room) as TableRoom;
}
