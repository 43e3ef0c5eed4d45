/** Everything that is looked at before a capture is trusted, as one list: what `doctor` prints. */
import type pg from 'pg';
import { type Check, Checklist } from '../checks.ts';
import { type AuditTable, describeTable, refuseLostColumns } from '../postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient, replicationConfig, targetOf } from '../postgres/connection.ts';
import { shortLsn } from './lsn.ts';
import { readTableRoom } from './preflight-facts.ts';
import { ageCheck, publicationChecks, readPublicationRoom } from './preflight-publication.ts';
import { momentChecks, roomChecks } from './preflight-server.ts';
import { slotChecks } from './preflight-slot.ts';
import { roomFor } from './preflight-start.ts';
import { tableChecks } from './preflight-table.ts';
import type { CaptureSettings } from './provision.ts';
import { verifyPublication } from './publication.ts';
import { verifyPublicationAge } from './publication-age.ts';
import { checkServer, verifyRole } from './server.ts';
import { readSlot, type SlotState } from './slot.ts';
import { readIdentity } from './source.ts';
import { checkIdentity, type StoredStart, startOf } from './start.ts';

/**
 * Looks at all of it, whatever it finds, and changes nothing.
 *
 * @param start what the journal stored; null where there is none.
 */
export async function preflight(settings: CaptureSettings, start: StoredStart | null): Promise<Check[]> {
  const list = new Checklist();
  const client = await list.attempt(
    'source_reachable',
    () => connect(settings.url),
    () => `${whereOf(settings.url)} answers`,
  );
  if (client === null) return list.checks;
  try {
    await examine(client, settings, start, list);
  } catch (error) {
    await list.attempt('source_reachable', () => {
      throw explainPostgres(error, settings.url, 'look at the server');
    });
  } finally {
    await client.end().catch(() => {});
  }
  return list.checks;
}

async function examine(
  client: pg.Client,
  settings: CaptureSettings,
  start: StoredStart | null,
  list: Checklist,
): Promise<void> {
  const { server, checks } = await checkServer(client);
  list.add(...checks);
  if (checks.some(({ name, outcome }) => name !== 'wal_level' && outcome === 'failure')) return;
  await list.attempt(
    'source_role',
    () => verifyRole(client),
    () => 'the role may replicate',
  );
  const slot = await list.attempt(
    'slot',
    () => readSlot(client, settings.slot, server.database),
    ({ confirmedFlush }) => `slot ${settings.slot} is at ${shortLsn(confirmedFlush)}`,
  );
  const { room, wanted } = await roomFor(client, settings, slot);
  list.add(...roomChecks(room, wanted), ...momentChecks(room, wanted));
  if (slot !== null) list.add(...slotChecks(settings.slot, slot, wanted.failover));
  const table = await examineTable(client, settings, list);
  const answers = await examinePosition(settings, { start, slot, table }, list);
  if (answers && slot !== null) await examineAge(client, settings, slot, list);
}

async function examineTable(client: pg.Client, settings: CaptureSettings, list: Checklist): Promise<AuditTable | null> {
  const table = await list.attempt(
    'source_table',
    () => describeTable(client, settings),
    ({ sql, partitioned, mapping }) =>
      `${sql} is ${partitioned ? 'a partitioned table' : 'a table'}; columns read: ${mapping.names.join(', ')}`,
  );
  if (table === null) return null;
  const { publication } = settings;
  await list.attempt(
    'publication',
    () => verifyPublication(client, table, settings),
    () => `publication ${publication} has ${table.sql}, the columns that are read, and inserts`,
  );
  if (!list.checks.some(({ name }) => name === 'publication_missing')) {
    list.add(...publicationChecks(settings, table, await readPublicationRoom(client, settings, table)));
  }
  const { rows } = await client.query('SELECT current_user AS role');
  list.add(...tableChecks(table, await readTableRoom(client, table), rows[0].role));
  return table;
}

interface Found {
  start: StoredStart | null;
  slot: SlotState | null;
  table: AuditTable | null;
}

/** Whether a stream can go on from what the journal stored. Resolves with whether a walsender answers. */
async function examinePosition(
  settings: CaptureSettings,
  { start, slot, table }: Found,
  list: Checklist,
): Promise<boolean> {
  const identity = await list.attempt(
    'walsender',
    () => readIdentity(settings),
    ({ system_identifier, timeline }) => `a walsender answers (system ${system_identifier}, timeline ${timeline})`,
  );
  if (start === null || start.progress === null || identity === null) return identity !== null;
  const { progress } = start;
  await list.attempt(
    'position',
    () => {
      checkIdentity(start.identity, identity);
      if (table !== null) refuseLostColumns(start.columns, table.mapping, settings);
      if (slot !== null) startOf(start, slot, settings.slot, 'now');
    },
    () => `the stream goes on from ${shortLsn(progress.resumeLsn)}, which is stored here`,
  );
  return true;
}

/** A walsender answers, so the slot can be read for a moment where nothing else tells. */
async function examineAge(
  client: pg.Client,
  settings: CaptureSettings,
  slot: SlotState,
  list: Checklist,
): Promise<void> {
  if (list.checks.some(({ name }) => name === 'publication_missing')) return;
  const age = await list.attempt('publication_age', () => verifyPublicationAge(client, settings, slot));
  if (age !== null) list.add(ageCheck(settings, age));
}

/** A pooler may answer an ordinary connection, and is refused all the same. */
function connect(url: string): Promise<pg.Client> {
  replicationConfig(url, { purpose: 'doctor' });
  return openClient(clientConfig(url, { purpose: 'doctor', settings: { statement_timeout: '10s' } }));
}

function whereOf(url: string): string {
  const { host, port, database, user } = targetOf(url);
  return `${user}@${host}:${port}/${database}`;
}
