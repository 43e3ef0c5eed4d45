/** The publication: what makes it, and what it must be. */
import type { AuditTable } from '../postgres/audit-table.ts';
import { quoteIdent } from '../postgres/quote.ts';
import { columnGone } from './columns.ts';
import { badSetup, type Queryable } from './setup-faults.ts';

export function publicationSql(table: AuditTable, publication: string, serverVersion: number): string {
  const list = serverVersion >= 150_000 ? ` (${table.mapping.names.map(quoteIdent).join(', ')})` : '';
  return `CREATE PUBLICATION ${quoteIdent(publication)} FOR TABLE ${table.sql}${list} WITH (publish = 'insert, truncate', publish_via_partition_root = true)`;
}

/**
 * The publication streams every insert into the table, with every column that is read.
 *
 * @throws OperatorError `publication_missing`, `publication_incomplete`, `source_column`.
 */
export async function verifyPublication(client: Queryable, table: AuditTable, publication: string): Promise<void> {
  const found = await client.query(
    'SELECT pubinsert::text AS insert, pubviaroot::text AS viaroot FROM pg_publication WHERE pubname = $1',
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
      `publication ${publication} ${what}: ${sql}; rows inserted meanwhile are not in the stream (run --from beginning into a fresh data directory reads them)`,
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
  if (member.filter !== null)
    throw incomplete(`filters the rows of ${table.sql}`, `ALTER PUBLICATION ${name} SET TABLE ${table.sql}`);
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
