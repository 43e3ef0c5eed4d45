/** Judgements over the slot: pure. */
import { type Check, ok, warning } from '../checks.ts';
import { mebibytes } from './preflight-server.ts';
import type { SlotState } from './slot.ts';

const lowShare = 0.25;
const abandonedBytes = 2 ** 30;

export function slotChecks(slot: string, state: SlotState, failover: boolean): Check[] {
  const danger = slotDanger(slot, state);
  return [
    danger ??
      ok('slot_endangered', `slot ${slot} retains ${mebibytes(state.retainedBytes)} of WAL (${state.walStatus})`),
    ...(failover ? [failoverCheck(slot, state)] : []),
    ...(danger === null ? [unreadCheck(slot, state)] : []),
  ];
}

/** The server may soon remove WAL that the slot still needs; null where it may not. */
export function slotDanger(slot: string, { walStatus, safeWalBytes, retainedBytes }: SlotState): Check | null {
  const low = safeWalBytes !== null && safeWalBytes < lowShare * (retainedBytes + Math.max(0, safeWalBytes));
  if (walStatus !== 'unreserved' && !low) return null;
  const left = safeWalBytes === null ? '' : `, ${mebibytes(Math.max(0, safeWalBytes))} before it may be lost`;
  return warning(
    'slot_endangered',
    `slot ${slot} retains ${mebibytes(retainedBytes)} of WAL (${walStatus})${left}`,
    'let the capture catch up (tc_source_lag_bytes), or raise max_slot_wal_keep_size and SELECT pg_reload_conf()',
  );
}

function failoverCheck(slot: string, { failover }: SlotState): Check {
  if (failover) return ok('slot_failover', `standbys keep a copy of slot ${slot}`);
  return warning(
    'slot_failover',
    `postgres.failoverSlot is on, but no standby keeps a copy of slot ${slot}`,
    `while no capture runs, over a replication connection: ALTER_REPLICATION_SLOT "${slot}" (FAILOVER true)`,
  );
}

function unreadCheck(slot: string, { active, inactiveSince, retainedBytes }: SlotState): Check {
  const since = inactiveSince === null ? '' : ` since ${inactiveSince}`;
  if (active) return ok('slot_active', `a capture reads slot ${slot}`);
  if (retainedBytes < abandonedBytes) return ok('slot_active', `nobody reads slot ${slot}${since}`);
  return warning(
    'slot_active',
    `nobody reads slot ${slot}${since}, and the server keeps ${mebibytes(retainedBytes)} of WAL for it`,
    'start run, or drop the slot with teardown',
  );
}
