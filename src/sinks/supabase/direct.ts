/** The mirror over a connection to its database: all rows of a message in one transaction. */
import type pg from 'pg';
import { tables } from '../../dataset-tables.ts';
import { codeOf, kindOf, messageOf } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { sqlState } from '../../postgres/connection.ts';
import { quoteIdent } from '../../postgres/quote.ts';
import type { Sink } from '../sink.ts';
import { explainMirror, notMigrated, openMirrorPool, refusalOf } from './connection.ts';
import { isolate } from './isolate.ts';
import { addEffect, type Mirror, type MirrorWrite, mirrorVersion, noEffect, sinkOver } from './mirror.ts';
import { type EncodedRow, type EncodedRows, encodeRows, jsonArray, piecesOf } from './row-json.ts';

export interface PostgresSinkOptions {
  /** Of the mirror's database; a transaction pooler will do. */
  url: string;
  schema: string;
  log: Logger;
}

const connections = 4;
const maxPieceRows = 5_000;
const maxPieceBytes = 8 * 1024 * 1024;

// Limits to a statement and to waiting for another writer of the session; of the transaction, as poolers want it.
const begin = `BEGIN; SET LOCAL statement_timeout = '100s'; SET LOCAL lock_timeout = '30s'`;

/**
 * Where the database can't be reached just now, the sink opens all the same and its writes ask to be tried again.
 *
 * @throws OperatorError `sink_not_migrated`, `sink_url`, `sink_auth`, `sink_database`, `sink_permission`, `sink_tls`.
 */
export async function openPostgresSink(options: PostgresSinkOptions): Promise<Sink> {
  return sinkOver(await openPostgresMirror(options), options.log);
}

/** @throws OperatorError as {@link openPostgresSink} does. */
export async function openPostgresMirror({ url, schema, log }: PostgresSinkOptions): Promise<Mirror> {
  const pool = openMirrorPool(url, { purpose: 'sink', max: connections, queryTimeoutMs: 120_000 });
  const explain = (error: unknown) => explainMirror(error, url, schema, 'write to the mirror');
  try {
    await requireMigrations(pool, schema);
  } catch (error) {
    const explained = explain(error);
    if (kindOf(explained) !== 'retry') {
      await pool.end();
      throw explained;
    }
    log.warn({ code: codeOf(explained) }, messageOf(explained));
  }
  return {
    async write(batches, signal) {
      const encoded = batches.filter(({ rows }) => rows.length > 0).map(encodeRows);
      try {
        return await writeAll(pool, schema, encoded, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw explain(error);
      }
    },
    close: () => pool.end(),
  };
}

/** @throws OperatorError `sink_not_migrated`; what the server says where it can't be asked. */
export async function requireMigrations(pool: pg.Pool, schema: string): Promise<void> {
  const table = `${quoteIdent(schema)}.trajectory_compiler_migrations`;
  const { rows } = await pool.query<{ version: number | null }>(`SELECT max(version) AS version FROM ${table}`);
  const version = rows[0]?.version ?? 0;
  if (version < mirrorVersion) throw notMigrated(schema, `version ${version} of ${mirrorVersion}`);
}

async function writeAll(
  pool: pg.Pool,
  schema: string,
  batches: readonly EncodedRows[],
  signal: AbortSignal,
): Promise<MirrorWrite> {
  try {
    return await inTransaction(pool, signal, async (client) => {
      const done: MirrorWrite = { refused: [], effect: noEffect() };
      for (const batch of batches) {
        for (const rows of piecesOf(batch.rows, maxPieceRows, maxPieceBytes)) {
          addEffect(done.effect, rows.length, await upsert(client, schema, batch, rows));
        }
      }
      return done;
    });
  } catch (error) {
    if (refusedBy(error) === null) throw error;
  }
  // Again, with a savepoint before each statement: a refused row costs nobody else anything.
  return await inTransaction(pool, signal, (client) => writeCarefully(client, schema, batches));
}

async function writeCarefully(
  client: pg.PoolClient,
  schema: string,
  batches: readonly EncodedRows[],
): Promise<MirrorWrite> {
  const done: MirrorWrite = { refused: [], effect: noEffect() };
  for (const batch of batches) {
    for (const piece of piecesOf(batch.rows, maxPieceRows, maxPieceBytes)) {
      const refused = await isolate(piece, async (rows) => {
        await client.query('SAVEPOINT piece');
        try {
          const written = await upsert(client, schema, batch, rows);
          await client.query('RELEASE SAVEPOINT piece');
          addEffect(done.effect, rows.length, written);
          return null;
        } catch (error) {
          const reason = refusedBy(error);
          if (reason === null) throw error;
          await client.query('ROLLBACK TO SAVEPOINT piece');
          return reason;
        }
      });
      done.refused.push(...refused.map(({ row, reason }) => ({ table: batch.table, key: row.key, reason })));
    }
  }
  return done;
}

/** How many of the rows were not there already, as they are or newer. */
async function upsert(
  client: pg.PoolClient,
  schema: string,
  { table, columns }: EncodedRows,
  rows: readonly EncodedRow[],
): Promise<number | null> {
  const name = `${quoteIdent(schema)}.${quoteIdent(table)}`;
  const list = columns.map(quoteIdent).join(', ');
  const changes = columns.map((column) => `${quoteIdent(column)} = excluded.${quoteIdent(column)}`).join(', ');
  const { rowCount } = await client.query(
    `INSERT INTO ${name} AS held (${list}) SELECT ${list} FROM json_populate_recordset(NULL::${name}, $1::json)
     ON CONFLICT (${tables[table].key.map(quoteIdent).join(', ')}) DO UPDATE SET ${changes}
     WHERE excluded.generation ${tables[table].wins === 'greatest' ? '>' : '<'} held.generation`,
    [jsonArray(rows)],
  );
  return rowCount;
}

/** Rolls back where `work` throws. An abort breaks the connection, which ends what is under way. */
async function inTransaction<T>(
  pool: pg.Pool,
  signal: AbortSignal,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const client = await pool.connect();
  let broken = false;
  const destroy = () => {
    if (!broken) client.release(true);
    broken = true;
  };
  signal.addEventListener('abort', destroy, { once: true });
  try {
    signal.throwIfAborted();
    await client.query(begin);
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    if (!broken) await client.query('ROLLBACK').catch(destroy);
    throw error;
  } finally {
    signal.removeEventListener('abort', destroy);
    if (!broken) client.release();
  }
}

function refusedBy(error: unknown): string | null {
  return refusalOf(sqlState(error), error as { constraint?: string; column?: string });
}
