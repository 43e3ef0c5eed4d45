/** What a start warns of: the part of the preflight that is about the server and the slot. */
import pg from 'pg';
import { sentenceOf } from '../checks.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { targetOf } from '../postgres/connection.ts';
import { readRoom, type ServerRoom } from './preflight-facts.ts';
import { roomChecks, type Wanted } from './preflight-server.ts';
import { slotChecks } from './preflight-slot.ts';
import type { Capture, CaptureSettings } from './provision.ts';
import type { Queryable } from './setup-faults.ts';
import type { SlotState } from './slot.ts';

/**
 * What a capture that may start should be told of: what may end it, or harm the server, later. Where that can't be asked
 * nothing is said, since everything that a capture can't do without was verified before.
 */
export async function warnOfStart(
  client: Queryable,
  { slot }: Pick<Capture, 'slot'>,
  settings: CaptureSettings,
  log: Logger,
): Promise<void> {
  try {
    const { room, wanted } = await roomFor(client, settings, slot);
    const checks = [...roomChecks(room, wanted), ...slotChecks(settings.slot, slot, wanted.failover)];
    for (const check of checks) {
      if (check.outcome === 'warning') log.warn({ code: check.name }, sentenceOf(check));
    }
  } catch (error) {
    log.debug(messageOf(error));
  }
}

/** What the server has left, and what of it is ours. */
export async function roomFor(
  client: Queryable,
  { url, slot: name, failover = false }: CaptureSettings,
  slot: SlotState | null,
): Promise<{ room: ServerRoom; wanted: Wanted }> {
  const before = Date.now();
  const room = await readRoom(client, name);
  const now = (before + Date.now()) / 2;
  const { host } = targetOf(url);
  const [slotThere, slotActive, verified] = [slot !== null, slot?.active ?? false, verifiesServer(url)];
  return { room, wanted: { slotThere, slotActive, slot: name, failover, host, verified, now } };
}

/** What the URL's sslmode and its like come to in the client. */
function verifiesServer(connectionString: string): boolean {
  const { ssl } = new pg.Client({ connectionString }) as unknown as { ssl: boolean | { rejectUnauthorized?: boolean } };
  return typeof ssl !== 'object' || ssl.rejectUnauthorized !== false;
}
