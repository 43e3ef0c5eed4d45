/** Opening the source: preflight, positions, and then the connections that stream. */
import type pg from 'pg';
import type { Logger } from '../log.ts';
import { refuseLostColumns } from '../postgres/audit-table.ts';
import { explainPostgres, openPool } from '../postgres/connection.ts';
import type { Progress } from '../records.ts';
import type { Source, SourceOptions } from './contract.ts';
import { warnOfStart } from './preflight-start.ts';
import { type Capture, type CaptureSettings, verifyCapture } from './provision.ts';
import { verifyPublicationAge } from './publication-age.ts';
import { type Identity, openWalsender } from './replication.ts';
import { checkIdentity, type StoredStart, startOf } from './start.ts';
import { PostgresSource } from './tail.ts';
import { countRows } from './unread.ts';

interface Beginning {
  capture: Capture;
  identity: Identity;
  /** Null where the history of a first start comes first. */
  stored: Progress | null;
}

/**
 * Verifies server, role, table, publication, slot and positions.
 *
 * @throws OperatorError see {@link verifyCapture}, {@link checkIdentity} and {@link startOf}; `source_unreachable` with
 * exit code 5 where the server can't be reached.
 */
export async function openSource(options: SourceOptions, start: StoredStart, log: Logger): Promise<Source> {
  const { url } = options;
  const pool = openProbe(url);
  try {
    const { capture, identity, stored } = await verifyStart(pool, options, start);
    await warnOfStart(pool, capture, options, log);
    const isFirst = start.progress === null && stored !== null;
    const held = isFirst ? await countRows(pool, capture.table, options.shard) : null;
    const takenBy = start.rowColumns ?? null;
    return new PostgresSource(options, capture, identity, { stored, held, takenBy }, pool, log);
  } catch (error) {
    await pool.end();
    throw explainPostgres(error, url, 'start the capture');
  }
}

/** Whether a stream could go on from there. @throws OperatorError as {@link openSource} and the stream: why it could not. */
export async function probeStart(options: CaptureSettings, start: StoredStart): Promise<void> {
  const pool = openProbe(options.url);
  try {
    const { capture } = await verifyStart(pool, { ...options, from: 'now' }, start);
    await verifyPublicationAge(pool, options, capture.slot);
  } catch (error) {
    throw explainPostgres(error, options.url, 'look at the slot');
  } finally {
    await pool.end();
  }
}

/** Whose positions a slot and a publication of these names would give. */
export async function readIdentity({ url, slot, publication }: CaptureSettings): Promise<Identity> {
  const walsender = await openWalsender(url, 'preflight');
  await walsender.client.end();
  return { ...walsender.identity, slot, publication };
}

function openProbe(url: string): pg.Pool {
  return openPool(url, { purpose: 'probe', settings: { statement_timeout: '30s' }, queryTimeoutMs: 10_000 });
}

async function verifyStart(
  pool: pg.Pool,
  options: CaptureSettings & Pick<SourceOptions, 'from'>,
  start: StoredStart,
): Promise<Beginning> {
  const identity = await readIdentity(options);
  // First: what is missing under other names than those of the journal is not to be made by init.
  checkIdentity(start.identity, identity);
  const capture = await verifyCapture(pool, options);
  refuseLostColumns(start.columns, capture.table.mapping, options);
  return { capture, identity, stored: startOf(start, capture.slot, options.slot, options.from) };
}
