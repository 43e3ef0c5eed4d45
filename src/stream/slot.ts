/** The replication slot: creating it, and how it stands. */
import type pg from 'pg';
import { stop } from '../errors.ts';
import { pause } from '../lifecycle.ts';
import { sqlState } from '../postgres/connection.ts';
import { quoteLiteral } from '../postgres/quote.ts';
import type { Lsn } from '../records.ts';
import { parseLsn, shortLsn } from './lsn.ts';
import { badSetup, type Queryable } from './setup-faults.ts';

export interface SlotState {
  confirmedFlush: Lsn;
  restartLsn: Lsn;
  /** How far the server's WAL is on its disk. Nothing beyond was ever streamed. */
  flushed: Lsn;
  active: boolean;
  activePid: number | null;
  /** `reserved`, `extended`, `unreserved` or `lost`. */
  walStatus: string;
  /** Bytes of WAL that the server keeps because of this slot. */
  retainedBytes: number;
  /** Bytes of WAL that may still be written before the slot can be lost; null without a limit. */
  safeWalBytes: number | null;
  /** A standby keeps a copy of it. PostgreSQL 17 and later. */
  failover: boolean;
  /** It came from a primary as such a copy. */
  synced: boolean;
  /** Since when nobody reads it, as the server's text; null while somebody does, and before PostgreSQL 17. */
  inactiveSince: string | null;
}

/** A slot of ours that may have been lost. */
export interface FoundSlot extends Omit<SlotState, 'confirmedFlush' | 'restartLsn'> {
  confirmedFlush: Lsn | null;
  restartLsn: Lsn | null;
  /** `wal_removed`, `idle_timeout` and others; null where it is valid, and before PostgreSQL 17. */
  invalidation: string | null;
  /** Prepared transactions are decoded before they are committed. */
  twoPhase: boolean;
}

export const defaultLockTimeoutMs = 10_000;

/** @throws OperatorError `failover_version` where the server has no failover slots. */
export function slotSql(
  { slot, failover = false }: { slot: string; failover?: boolean | undefined },
  serverVersion: number,
): string {
  if (!failover) return `SELECT pg_create_logical_replication_slot(${quoteLiteral(slot)}, 'pgoutput')`;
  if (serverVersion < 170_000) {
    throw badSetup(
      'failover_version',
      `the server is PostgreSQL ${Math.floor(serverVersion / 10_000)}, which keeps no logical slot through a failover: postgres.failoverSlot needs 17 or later`,
    );
  }
  return `SELECT pg_create_logical_replication_slot(${quoteLiteral(slot)}, 'pgoutput', failover => true)`;
}

/**
 * @param sql of {@link slotSql}
 * @returns the consistent point: what commits from there on is streamed.
 * @throws OperatorError `slot_waiting` where transactions that were open before do not end, `slot_limit`.
 */
export async function createSlot(
  client: pg.Client,
  sql: string,
  { slot, lockTimeoutMs }: { slot: string; lockTimeoutMs?: number | undefined },
): Promise<Lsn> {
  try {
    const { rows } = await client.query(sql);
    // `(name,0/1B793920)`
    const [, lsn = ''] = String(rows[0].pg_create_logical_replication_slot).slice(0, -1).split(',');
    return parseLsn(lsn);
  } catch (error) {
    const code = sqlState(error);
    if (code === '55P03') {
      throw stop(
        'slot_waiting',
        `slot ${slot} could not be created within ${lockTimeoutMs ?? defaultLockTimeoutMs} ms: the server waits for transactions that were open before; end the long ones (pg_stat_activity, pg_prepared_xacts) and run it again`,
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

/**
 * Returns once every snapshot sees what committed before now. A commit can stand in the WAL and not be visible yet, while
 * its backend waits for the disk or for a synchronous standby: a slot that was just made does not stream it, and whoever
 * reads the table in its place would miss it too.
 *
 * @throws OperatorError `slot_waiting`.
 */
export async function untilVisible(
  client: pg.Client,
  { slot, lockTimeoutMs = defaultLockTimeoutMs }: { slot: string; lockTimeoutMs?: number | undefined },
): Promise<void> {
  // An id of our own is later than that of every transaction which has written anything.
  await client.query('BEGIN');
  const { rows } = await client.query('SELECT pg_current_xact_id() AS id');
  await client.query('ROLLBACK');
  const deadline = performance.now() + lockTimeoutMs;
  for (;;) {
    const { rows: now } = await client.query(
      `SELECT (pg_snapshot_xmin(pg_current_snapshot()) > '${rows[0].id}'::xid8)::text AS all`,
    );
    if (now[0].all === 'true') return;
    if (performance.now() > deadline) {
      throw stop(
        'slot_waiting',
        `slot ${slot} was made, but transactions that were open then have not ended within ${lockTimeoutMs} ms, and their rows may lie before it: end the long ones (pg_stat_activity, pg_prepared_xacts) and run it again`,
      );
    }
    await pause(20);
  }
}

/**
 * The slot as it is, lost or not; null where there is none.
 *
 * @throws OperatorError `slot_foreign` where the name belongs to something else.
 */
export async function findSlot(client: Queryable, name: string, database: string): Promise<FoundSlot | null> {
  // As JSON, since servers of earlier versions lack columns; without parameters, which a walsender knows nothing of.
  const { rows } = await client.query(
    `SELECT to_jsonb(s)::text AS slot, pg_current_wal_flush_lsn() AS flushed,
            pg_wal_lsn_diff(pg_current_wal_insert_lsn(), restart_lsn) AS retained
       FROM pg_replication_slots s WHERE slot_name = ${quoteLiteral(name)}`,
  );
  if (rows.length === 0) return null;
  const slot = JSON.parse(rows[0].slot) as SlotRow;
  if (slot.plugin !== 'pgoutput' || slot.database !== database || slot.temporary) {
    const what = slot.plugin === null ? 'a physical slot' : `of plugin ${slot.plugin} in database ${slot.database}`;
    const is = slot.temporary ? `a temporary slot of the session of pid ${slot.active_pid}, and goes with it` : what;
    throw badSetup(
      'slot_foreign',
      `slot ${name} is ${is}, not of pgoutput in ${database}: set postgres.slot to another name`,
    );
  }
  const lsn = (text: string | null) => (text === null ? null : parseLsn(text));
  return {
    confirmedFlush: lsn(slot.confirmed_flush_lsn),
    restartLsn: lsn(slot.restart_lsn),
    flushed: parseLsn(rows[0].flushed),
    active: slot.active,
    activePid: slot.active_pid,
    walStatus: slot.wal_status ?? 'reserved',
    retainedBytes: Number(rows[0].retained ?? 0),
    safeWalBytes: slot.safe_wal_size,
    failover: slot.failover ?? false,
    synced: slot.synced ?? false,
    inactiveSince: slot.inactive_since ?? null,
    invalidation: slot.invalidation_reason ?? null,
    twoPhase: slot.two_phase,
  };
}

/** Of pg_replication_slots. */
interface SlotRow {
  plugin: string | null;
  database: string | null;
  temporary: boolean;
  two_phase: boolean;
  active: boolean;
  active_pid: number | null;
  restart_lsn: string | null;
  confirmed_flush_lsn: string | null;
  wal_status: string | null;
  safe_wal_size: number | null;
  failover?: boolean;
  synced?: boolean;
  inactive_since?: string | null;
  invalidation_reason?: string | null;
}

/** @throws OperatorError `slot_missing`, `slot_foreign`, `slot_lost`, `slot_two_phase`. */
export async function readSlot(client: Queryable, name: string, database: string): Promise<SlotState> {
  const found = await findSlot(client, name, database);
  if (found === null) {
    throw badSetup(
      'slot_missing',
      `no replication slot ${name}: run init; where there was one, run recover, since the rows since it was dropped are only in the table`,
    );
  }
  const { confirmedFlush, restartLsn, invalidation, twoPhase, ...state } = found;
  if (state.walStatus === 'lost' || confirmedFlush === null || restartLsn === null) {
    throw stop(
      'slot_lost',
      `slot ${name} was invalidated${reasonOf(invalidation)}, and rows since ${confirmedFlush === null ? 'then' : shortLsn(confirmedFlush)} are only in the table: run recover, which makes a new slot and takes them from there`,
    );
  }
  if (twoPhase) {
    throw badSetup(
      'slot_two_phase',
      `slot ${name} has two_phase on: a prepared transaction comes in a form that is not read here, and would end the stream: run recover, which makes a new slot (teardown and init where nothing was captured yet)`,
    );
  }
  return { confirmedFlush, restartLsn, ...state };
}

function reasonOf(invalidation: string | null): string {
  if (invalidation === null || invalidation === 'wal_removed') {
    return ': the server removed WAL that it still needed (max_slot_wal_keep_size)';
  }
  return invalidation === 'idle_timeout'
    ? ': nobody read it for longer than idle_replication_slot_timeout'
    : ` (${invalidation})`;
}
