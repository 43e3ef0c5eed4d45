/** Opening the source: preflight, positions, and then the connections that stream. */
import type { Logger } from '../log.ts';
import { refuseLostColumns } from '../postgres/audit-table.ts';
import { explainPostgres, openPool } from '../postgres/connection.ts';
import type { Source, SourceOptions } from './contract.ts';
import { verifyCapture } from './provision.ts';
import { openWalsender } from './replication.ts';
import { checkIdentity, type StoredStart, startOf } from './start.ts';
import { PostgresSource } from './tail.ts';
import { countRows } from './unread.ts';

/**
 * Verifies server, role, table, publication, slot and positions.
 *
 * @throws OperatorError see {@link verifyCapture}, {@link checkIdentity} and {@link startOf}; `source_unreachable` with
 * exit code 5 where the server can't be reached.
 */
export async function openSource(options: SourceOptions, start: StoredStart, log: Logger): Promise<Source> {
  const { url } = options;
  const walsender = await openWalsender(url, 'preflight');
  await walsender.client.end();
  const pool = openPool(url, { purpose: 'probe', settings: { statement_timeout: '30s' }, queryTimeoutMs: 10_000 });
  try {
    const capture = await verifyCapture(pool, options);
    const identity = { ...walsender.identity, slot: options.slot, publication: options.publication };
    checkIdentity(start.identity, identity);
    refuseLostColumns(start.columns, capture.table.mapping, options);
    const stored = startOf(start, capture.slot, options.slot, options.from);
    const isFirst = start.progress === null && stored !== null;
    const held = isFirst ? await countRows(pool, capture.table, options.shard) : null;
    return new PostgresSource(options, capture, identity, { stored, held }, pool, log);
  } catch (error) {
    await pool.end();
    throw explainPostgres(error, url, 'start the capture');
  }
}
