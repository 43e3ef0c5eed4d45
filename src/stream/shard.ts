/** Shares of the sessions for several captures of one log: every session belongs to exactly one of them. */
import type { AuditTable } from '../postgres/audit-table.ts';
import { quoteIdent } from '../postgres/quote.ts';
import { badSetup } from './setup-faults.ts';

export interface Shard {
  /** 0-based. */
  index: number;
  count: number;
}

/**
 * The functions by the type of the session's column. A row filter accepts these and no cast of ours; `varchar` becomes
 * `text` by itself. Equal text has equal hashes in each of them, so a session meets itself.
 */
const hashFunctions: Record<string, string> = {
  text: 'hashtextextended',
  'character varying': 'hashtextextended',
  character: 'hashbpcharextended',
  uuid: 'uuid_hash_extended',
  bigint: 'hashint8extended',
  integer: 'hashint4extended',
  smallint: 'hashint2extended',
  numeric: 'hash_numeric_extended',
};

/** Names are cut off beyond this, without an error. */
const maxNameBytes = 63;

/**
 * The condition under which a row belongs to the shard: the row filter of its publication, and what every read beside
 * the stream has to ask for too. Rows without a session go to the first shard, where they are counted.
 *
 * @throws OperatorError `shard_column` where the type of the session's column can't be hashed in a row filter.
 */
export function shardCondition(
  table: Pick<AuditTable, 'columns' | 'mapping' | 'sql'>,
  { index, count }: Shard,
): string {
  const { name, type } = sessionColumn(table);
  const hash = hashFunctions[type.replace(/\(.*\)/, '')];
  if (hash === undefined) {
    throw badSetup(
      'shard_column',
      `column ${name} of ${table.sql} is of type ${type}, which no row filter can hash: capture.shard needs ${Object.keys(hashFunctions).join(', ')}`,
    );
  }
  const column = quoteIdent(name);
  // The remainder of a negative hash is negative.
  const share = `((${hash}(${column}, 0) % ${count}) + ${count}) % ${count} = ${index}`;
  return index === 0 ? `(${share} OR ${column} IS NULL)` : `(${share})`;
}

/** Name and type of the column that sessions are told apart by. */
export function sessionColumn({ columns, mapping }: Pick<AuditTable, 'columns' | 'mapping'>): {
  name: string;
  type: string;
} {
  const name = mapping.names[mapping.at.sessionId]!;
  return columns.find((column) => column.name === name)!;
}

/** `trajectory_compiler_0_of_4`. @throws OperatorError `bad_settings` where Postgres would cut the name off. */
export function shardName(name: string, shard: Shard | null, setting: string): string {
  if (shard === null) return name;
  const full = `${name}_${shard.index}_of_${shard.count}`;
  if (Buffer.byteLength(full) <= maxNameBytes) return full;
  throw badSetup('bad_settings', `${setting} ${name} is too long: ${full} has more than ${maxNameBytes} bytes`);
}
