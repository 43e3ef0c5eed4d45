/** The publication: what makes it, and what it must be. */
import type { AuditTable } from '../postgres/audit-table.ts';
import { sqlState } from '../postgres/connection.ts';
import { quoteIdent } from '../postgres/quote.ts';
import { columnGone } from './columns.ts';
import { badSetup, type Queryable } from './setup-faults.ts';
import { type Shard, sessionColumn, shardCondition } from './shard.ts';

/** What a capture's publication is called, and which rows it has. */
export interface PublicationSettings {
  publication: string;
  shard?: Shard | undefined;
}

/** @throws OperatorError `shard_version`, `shard_column`. */
export function publicationSql(
  table: AuditTable,
  { publication, shard }: PublicationSettings,
  serverVersion: number,
): string {
  return `CREATE PUBLICATION ${quoteIdent(publication)} FOR TABLE ${memberSql(table, shard, serverVersion)} WITH (publish = 'insert, truncate', publish_via_partition_root = true)`;
}

/** The table as a member of the publication: the columns that are read, and a shard's rows alone. */
function memberSql(table: AuditTable, shard: Shard | undefined, serverVersion: number): string {
  if (serverVersion >= 150_000) {
    const filter = shard === undefined ? '' : ` WHERE (${shardCondition(table, shard)})`;
    return `${table.sql} (${table.mapping.names.map(quoteIdent).join(', ')})${filter}`;
  }
  if (shard === undefined) return table.sql;
  throw badSetup(
    'shard_version',
    `the server is PostgreSQL ${Math.floor(serverVersion / 10_000)}, whose publications have no row filters: capture.shard needs 15 or later`,
  );
}

/**
 * The publication streams every insert into the table, with every column that is read; with a shard, its rows alone.
 *
 * @throws OperatorError `publication_missing`, `publication_incomplete`, `source_column`.
 */
export async function verifyPublication(
  client: Queryable,
  table: AuditTable,
  { publication, shard }: PublicationSettings,
): Promise<void> {
  const found = await client.query(
    "SELECT pubinsert::text AS insert, pubviaroot::text AS viaroot, current_setting('server_version_num') AS version FROM pg_publication WHERE pubname = $1",
    [publication],
  );
  if (found.rows.length === 0) {
    throw badSetup(
      'publication_missing',
      `no publication ${publication}: run init (teardown first where the slot exists)`,
    );
  }
  const incomplete = (what: string, sql: string) =>
    badSetup(
      'publication_incomplete',
      `publication ${publication} ${what}: ${sql}; rows inserted meanwhile are not in the stream, but in the table (backfill reads them)`,
    );
  const name = quoteIdent(publication);
  const { rows } = await client.query(
    "SELECT to_jsonb(t)->>'rowfilter' AS filter, to_jsonb(t)->>'attnames' AS columns FROM pg_publication_tables t WHERE pubname = $1 AND schemaname = $2 AND tablename = $3",
    [publication, table.schema, table.name],
  );
  const member = rows[0] as { filter: string | null; columns: string | null } | undefined;
  const { insert, viaroot } = found.rows[0];
  if (table.partitioned && viaroot !== 'true') {
    throw incomplete(
      `does not publish via the root of ${table.sql}`,
      `ALTER PUBLICATION ${name} SET (publish_via_partition_root = true)`,
    );
  }
  if (member === undefined)
    throw incomplete(`does not contain ${table.sql}`, `ALTER PUBLICATION ${name} ADD TABLE ${table.sql}`);
  if (insert !== 'true')
    throw incomplete('does not publish inserts', `ALTER PUBLICATION ${name} SET (publish = 'insert, truncate')`);
  if (shard === undefined && member.filter !== null)
    throw incomplete(`filters the rows of ${table.sql}`, `ALTER PUBLICATION ${name} SET TABLE ${table.sql}`);
  if (shard !== undefined && !(await takesShare(client, table, member.filter, shard))) {
    throw incomplete(
      `does not take the share ${shard.index}/${shard.count} of ${table.sql}, but ${member.filter ?? 'all of it'}`,
      `ALTER PUBLICATION ${name} SET TABLE ${memberSql(table, shard, Number(found.rows[0].version))}`,
    );
  }
  const published = member.columns === null ? null : (JSON.parse(member.columns) as string[]);
  const missing = published === null ? [] : table.mapping.names.filter((column) => !published.includes(column));
  if (missing.length > 0) {
    const { rows: there } = await client.query(
      'SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped',
      [String(table.oid)],
    );
    const gone = missing.filter((column) => !there.some(({ name }) => name === column));
    if (gone.length > 0)
      throw columnGone(
        table,
        gone,
        there.map(({ name }) => name),
      );
    const all = table.mapping.names.map(quoteIdent).join(', ');
    throw incomplete(
      `leaves out column ${missing.join(', ')} of ${table.sql}`,
      `ALTER PUBLICATION ${name} SET TABLE ${table.sql} (${all})`,
    );
  }
}

/**
 * Whether the filter is the shard's. The server prints expressions in its own way, another version perhaps in another:
 * so it prints both, side by side, and executes neither.
 */
async function takesShare(client: Queryable, table: AuditTable, filter: string | null, shard: Shard): Promise<boolean> {
  if (filter === null) return false;
  const { name, type } = sessionColumn(table);
  try {
    const { rows } = await client.query(
      `EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON)
       SELECT (${filter}), (${shardCondition(table, shard)}) FROM unnest(NULL::${type}[]) AS log(${quoteIdent(name)})`,
    );
    const [{ Plan: plan }] = JSON.parse(rows[0]['QUERY PLAN']) as [{ Plan: { Output: [string, string] } }];
    return plan.Output[0] === plan.Output[1];
  } catch (error) {
    // A filter on another column.
    if (sqlState(error) === '42703') return false;
    throw error;
  }
}
