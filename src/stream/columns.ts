/** What the WAL says of a relation, held against the mapping: by name, since columns come and go. */
import { exitCodes, type OperatorError, stop } from '../errors.ts';
import type { AuditTable } from '../postgres/audit-table.ts';
import type { TableName } from '../postgres/quote.ts';
import type { PickColumns } from './pgoutput.ts';

/**
 * Picks the mapped columns of the audit log; null for any other relation. A column added is fine.
 *
 * @throws OperatorError `source_column` where a mapped column is gone: its values would be lost without a word.
 */
export function columnPicker({
  oid,
  schema,
  name,
  mapping,
}: Pick<AuditTable, 'oid' | 'schema' | 'name' | 'mapping'>): PickColumns {
  return (relation) => {
    // By oid too: a renamed table is still the log.
    if (relation.oid !== oid && (relation.schema !== schema || relation.name !== name)) return null;
    const missing = mapping.names.filter((column) => !relation.columns.includes(column));
    if (missing.length > 0) throw columnGone({ schema, name }, missing, relation.columns);
    return mapping.names.map((column) => relation.columns.indexOf(column));
  };
}

export function columnGone({ schema, name }: TableName, missing: string[], there: string[]): OperatorError {
  return stop(
    'source_column',
    `${schema}.${name} no longer has column ${missing.join(', ')} (it has ${there.join(', ')}): set columns.* to the new name, and start again`,
    { exitCode: exitCodes.configuration },
  );
}
