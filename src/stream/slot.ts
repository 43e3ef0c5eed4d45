/** The replication slot: creating it, and how it stands. */
import type pg from 'pg';
import { stop } from '../errors.ts';
import { quoteLiteral } from '../postgres/quote.ts';
import type { Lsn } from '../records.ts';
import { parseLsn } from './lsn.ts';
import { badSetup, type Queryable } from './setup-faults.ts';

export interface SlotState {
  confirmedFlush: Lsn;
  restartLsn: Lsn;
  active: boolean;
  activePid: number | null;
  /** `reserved`, `extended`, `unreserved` or `lost`. */
  walStatus: string;
  /** Bytes of WAL that the server keeps because of this slot. */
  retainedBytes: number;
}

export const defaultLockTimeoutMs = 10_000;

export function slotSql(slot: string): string {
  return `SELECT pg_create_logical_replication_slot(${quoteLiteral(slot)}, 'pgoutput')`;
}

/**
 * @param sql of {@link slotSql}
 * @throws OperatorError `slot_waiting` where transactions that were open before do not end, `slot_limit`.
 */
export async function createSlot(
  client: pg.Client,
  sql: string,
  { slot, lockTimeoutMs }: { slot: string; lockTimeoutMs?: number | undefined },
): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    const code = (error as { code?: string }).code;
    if (code === '55P03') {
      throw stop(
        'slot_waiting',
        `slot ${slot} could not be created within ${lockTimeoutMs ?? defaultLockTimeoutMs} ms: the server waits for transactions that were open before; end the long ones (pg_stat_activity, pg_prepared_xacts) and run init again`,
        { cause: error },
      );
    }
    if (code === '53400') {
      throw badSetup(
        'slot_limit',
        'all replication slots are in use: raise max_replication_slots or drop an abandoned one',
        error,
      );
    }
    throw error;
  }
}

/** Without parameters, which a walsender knows nothing of. @throws OperatorError `slot_missing`, `slot_foreign`, `slot_lost`. */
export async function readSlot(client: Queryable, name: string, database: string): Promise<SlotState> {
  const { rows } = await client.query(
    `SELECT plugin, database, temporary::text, active::text, active_pid, wal_status, restart_lsn, confirmed_flush_lsn,
            pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn) AS retained
       FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(name)}`,
  );
  const slot = rows[0] as Record<string, string | null> | undefined;
  if (slot === undefined) {
    throw badSetup(
      'slot_missing',
      `no replication slot ${name}: run init; where there was one, the rows since it was dropped are only in the table (run --from beginning into a fresh data directory)`,
    );
  }
  if (slot.plugin !== 'pgoutput' || slot.database !== database) {
    const what = slot.plugin === null ? 'a physical slot' : `of plugin ${slot.plugin} in database ${slot.database}`;
    throw badSetup(
      'slot_foreign',
      `slot ${name} is ${what}, not of pgoutput in ${database}: set postgres.slot to another name`,
    );
  }
  if (slot.wal_status === 'lost' || slot.confirmed_flush_lsn === null || slot.restart_lsn === null) {
    throw stop(
      'slot_lost',
      `slot ${name} was invalidated: the server removed WAL that it still needed (max_slot_wal_keep_size), and rows since ${slot.confirmed_flush_lsn ?? 'then'} are only in the table; run teardown, init, then run --from beginning into a fresh data directory`,
    );
  }
  return {
    confirmedFlush: parseLsn(slot.confirmed_flush_lsn as string),
    restartLsn: parseLsn(slot.restart_lsn as string),
    active: slot.active === 'true',
    activePid: slot.active_pid == null ? null : Number(slot.active_pid),
    walStatus: slot.wal_status ?? 'reserved',
    retainedBytes: Number(slot.retained ?? 0),
  };
}
