/** What reading the table beside the stream needs: history, backfill, recover and reconcile do, streaming does not. */
import { type Check, ok, warning } from '../checks.ts';
import type { AuditTable } from '../postgres/audit-table.ts';
import { quoteIdent } from '../postgres/quote.ts';
import type { TableRoom } from './preflight-facts.ts';

export function tableChecks(table: AuditTable, room: TableRoom, role: string): Check[] {
  return [
    readCheck(table, room, role),
    securityCheck(table, room, role),
    keyCheck(table, room),
    timeCheck(table, room),
    persistenceCheck(table, room),
  ];
}

function readCheck({ sql }: AuditTable, { mayRead }: TableRoom, role: string): Check {
  if (mayRead) return ok('source_select', `role ${role} may read ${sql}`);
  return warning(
    'source_select',
    `role ${role} may not read ${sql}: it can be streamed, but history, backfill, recover and reconcile read the table`,
    `GRANT SELECT ON ${sql} TO ${quoteIdent(role)}`,
  );
}

function securityCheck({ sql }: AuditTable, { rowSecurity }: TableRoom, role: string): Check {
  if (!rowSecurity) return ok('row_security', `row level security hides nothing of ${sql} from role ${role}`);
  return warning(
    'row_security',
    `row level security of ${sql} applies to role ${role}: the stream has every row, but history, backfill, recover and reconcile are refused`,
    `ALTER ROLE ${quoteIdent(role)} BYPASSRLS`,
  );
}

function keyCheck({ sql, mapping, partitioned }: AuditTable, { keyUnique, keyNullable }: TableRoom): Check {
  const name = 'key_unique';
  const key = quoteIdent(mapping.names[mapping.at.key]!);
  const index = `CREATE UNIQUE INDEX ON ${sql} (${key})`;
  if (keyUnique === 'no') {
    return warning(name, `nothing keeps two rows of ${sql} from having the same ${key}: they are taken for one`, index);
  }
  if (keyUnique === 'with_more' && !partitioned) {
    return warning(
      name,
      `${key} of ${sql} is unique together with other columns only: rows that share it are taken for one`,
      index,
    );
  }
  if (keyNullable) {
    return warning(
      name,
      `${key} of ${sql} may be null, and rows without a key are left out`,
      `ALTER TABLE ${sql} ALTER ${key} SET NOT NULL`,
    );
  }
  // A partitioned table can't have it otherwise.
  const how = keyUnique === 'alone' ? 'unique' : 'unique within a partition';
  return ok(name, `${key} of ${sql} is ${how} and never null`);
}

function timeCheck({ sql, mapping, partitioned }: AuditTable, { timeIndexed }: TableRoom): Check {
  const name = 'time_index';
  if (timeIndexed === null) {
    return warning(
      name,
      `${sql} has no time column: no range of it can be read, so backfill and reconcile go over all of it`,
      'set columns.time',
    );
  }
  const time = quoteIdent(mapping.names[mapping.at.time]!);
  if (timeIndexed) return ok(name, `${time} of ${sql} has an index`);
  return warning(
    name,
    `${time} of ${sql} has no index: backfill, recover and reconcile scan the table for each range`,
    `CREATE INDEX ${partitioned ? '' : 'CONCURRENTLY '}ON ${sql} (${time})`,
  );
}

function persistenceCheck({ sql }: AuditTable, { unlogged }: TableRoom): Check {
  if (unlogged.length === 0) return ok('source_unlogged', `every row of ${sql} is written to the WAL`);
  return warning(
    'source_unlogged',
    `rows of ${unlogged.join(', ')} never reach the WAL, and a crash of the server empties it`,
    unlogged.map((leaf) => `ALTER TABLE ${leaf} SET LOGGED`).join('; '),
  );
}
