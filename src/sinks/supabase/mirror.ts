/** The dataset's tables in Postgres: what the two ways of writing there, directly and over PostgREST, have in common. */
import { type Row, type TableName, tableNames } from '../../dataset-tables.ts';
import { type OperatorError, park } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { rowsOf } from '../rows.ts';
import type { Sink } from '../sink.ts';

/** Of deploy/supabase/migrations: what has to be applied there before rows can be written. */
export const mirrorVersion = 4;

export interface TableRows {
  table: TableName;
  /** No two of one key. */
  rows: readonly Row[];
}

/** A row that the database does not take. */
export interface Refusal {
  table: TableName;
  /** `id=4f1c…`: its key, never its contents. */
  key: string;
  /** A constraint or a SQLSTATE. */
  reason: string;
}

export interface Mirror {
  /**
   * Upserts the rows, table by table in this order. Resolves with those that were refused; all others are durable.
   *
   * @throws OperatorError where the database can't be reached, or is not prepared; some rows may be written then.
   */
  write(batches: readonly TableRows[], signal: AbortSignal): Promise<Refusal[]>;
  close(): Promise<void>;
}

/** A message is written whole but for the rows that are refused; with any of these it is parked. */
export function sinkOver(mirror: Mirror, log: Logger): Sink {
  return {
    name: 'supabase',
    async write(message, signal) {
      const rows = rowsOf(message);
      const trajectory = message.spec === 'compiled/1' ? message.trajectory.id : message.trajectoryId;
      const refused = await mirror.write(
        tableNames.map((table) => ({ table, rows: rows[table] })),
        signal,
      );
      if (refused.length > 0) throw explainRefusals(refused, `trajectory ${trajectory}`);
      const written = { trajectory, pairs: rows.qa_pairs.length, turns: rows.trajectory_turns.length };
      log.debug(written, 'written to the mirror');
      return { written: 0, unchanged: 0, unknown: tableNames.reduce((sum, table) => sum + rows[table].length, 0) };
    },
    close: () => mirror.close(),
  };
}

const namedRefusals = 5;

function explainRefusals(refused: Refusal[], what: string): OperatorError {
  const named = refused.slice(0, namedRefusals).map(({ table, key, reason }) => `${table} ${key} (${reason})`);
  const others = refused.length > namedRefusals ? ` and ${refused.length - namedRefusals} more` : '';
  const rows = refused.length === 1 ? 'a row' : `${refused.length} rows`;
  return park(
    'row_refused',
    `the mirror refuses ${rows} of ${what}, the others are written: ${named.join(', ')}${others}: mend the table, then put the message back with \`trajectory-compiler dlq requeue\` (one of \`compile\` is no message: \`trajectory-compiler fill supabase\`)`,
  );
}
