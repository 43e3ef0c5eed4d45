/** The dataset's tables in Postgres: what the two ways of writing there, directly and over PostgREST, have in common. */
import { type Row, type TableName, tableNames } from '../../dataset-tables.ts';
import { type OperatorError, park } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import { rowsOf } from '../rows.ts';
import type { Sink, WriteEffect } from '../sink.ts';

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

export interface MirrorWrite {
  refused: Refusal[];
  /** Of the others, which are durable. */
  effect: WriteEffect;
}

export interface Mirror {
  /**
   * Upserts the rows, table by table in this order.
   *
   * @throws OperatorError where the database can't be reached, or is not prepared; some rows may be written then.
   */
  write(batches: readonly TableRows[], signal: AbortSignal): Promise<MirrorWrite>;
  close(): Promise<void>;
}

export function noEffect(): WriteEffect {
  return { written: 0, unchanged: 0, unknown: 0 };
}

/** Adds what one statement did to so many rows; `written` is null where it did not say. */
export function addEffect(effect: WriteEffect, rows: number, written: number | null): void {
  if (written === null || written > rows) {
    effect.unknown += rows;
    return;
  }
  effect.written += written;
  effect.unchanged += rows - written;
}

/** A message is written whole but for the rows that are refused; with any of these it is parked. */
export function sinkOver(mirror: Mirror, log: Logger): Sink {
  return {
    name: 'supabase',
    async write(message, signal) {
      const rows = rowsOf(message);
      const trajectory = message.spec === 'compiled/1' ? message.trajectory.id : message.trajectoryId;
      const { refused, effect } = await mirror.write(
        tableNames.map((table) => ({ table, rows: rows[table] })),
        signal,
      );
      if (refused.length > 0) throw explainRefusals(refused, `trajectory ${trajectory}`);
      const sizes = { pairs: rows.qa_pairs.length, turns: rows.trajectory_turns.length };
      log.debug({ trajectory, ...sizes, ...effect }, 'written to the mirror');
      return effect;
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
