/** What of the audit log a mirror holds, over a connection to its database: as dataset/held.ts has it for the file. */
import type pg from 'pg';
import type { HeldRow } from '../../dataset-tables.ts';
import { quoteIdent } from '../../postgres/quote.ts';
import { explainMirror, openMirrorPool } from './connection.ts';

export interface MirrorReader {
  /** By row key, in the order of trajectory ids: which of these rows of a source are there. Up to some thousand keys. */
  rowsHeld(source: string, rowKeys: readonly string[]): Promise<Map<string, HeldRow[]>>;
  /** Which of these trajectories are there with all of their turns. */
  trajectoriesHeld(ids: readonly string[]): Promise<Set<string>>;
  close(): Promise<void>;
}

/**
 * Nothing is asked before the first question; two of them may be under way at once.
 *
 * @throws OperatorError `sink_url`; the questions throw what the sink does, `sink_not_migrated` among it.
 */
export function openMirrorReader({ url, schema }: { url: string; schema: string }): MirrorReader {
  const pool = openMirrorPool(url, { purpose: 'reader', max: 2, queryTimeoutMs: 120_000 });
  const table = (name: string) => `${quoteIdent(schema)}.${quoteIdent(name)}`;
  const ask = async <R extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<R[]> => {
    try {
      return (await pool.query<R>(text, values)).rows;
    } catch (error) {
      throw explainMirror(error, url, schema, 'read the mirror');
    }
  };
  return {
    async rowsHeld(source, rowKeys) {
      const rows = await ask<{ row_key: string; trajectory_id: string; digest: string | null }>(
        `SELECT r.row_key, r.trajectory_id, r.digest
         FROM ${table('trajectory_turns')} AS r JOIN ${table('trajectories')} AS t ON t.id = r.trajectory_id
         WHERE r.row_key = ANY($1::text[]) AND t.source = $2 ORDER BY r.trajectory_id COLLATE "C"`,
        [rowKeys, source],
      );
      const held = new Map<string, HeldRow[]>();
      for (const { row_key, trajectory_id, digest } of rows) {
        held.set(row_key, [...(held.get(row_key) ?? []), { trajectoryId: trajectory_id, digest }]);
      }
      return held;
    },
    async trajectoriesHeld(ids) {
      const rows = await ask<{ id: string }>(
        `SELECT t.id FROM ${table('trajectories')} AS t WHERE t.id = ANY($1::text[])
         AND (SELECT count(*) FROM ${table('trajectory_turns')} WHERE trajectory_id = t.id) = t.turn_count`,
        [ids],
      );
      return new Set(rows.map(({ id }) => id));
    },
    close: () => pool.end(),
  };
}
