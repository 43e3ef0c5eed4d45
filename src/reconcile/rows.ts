/** Rows of a page as they are judged: digested, and told from those that are no turns. */
import { type Mapping, type RowText, turnOf } from '../postgres/audit-table.ts';
import type { Lsn } from '../records.ts';
import type { RowDigester } from '../row-digest.ts';
import { bucketOf } from '../sessionizer/ledger.ts';
import type { TableRow } from './accounts.ts';

export interface FoundRow extends TableRow {
  bucket: number | null;
  sessionId: string;
}

export interface NoTurn {
  bucket: number | null;
  reason: 'no_session' | 'no_key';
}

const nowhere = { lsn: '00000000/00000000' as Lsn, ordinal: 0 };

/** What an exclude rule leaves out now may have been taken in before the rule: it is judged like any other row. */
export function readPage(
  rows: readonly RowText[],
  mapping: Mapping,
  digester: RowDigester,
): { found: FoundRow[]; noTurns: NoTurn[] } {
  const everyRow = { ...mapping, exclude: [] };
  const found: FoundRow[] = [];
  const noTurns: NoTurn[] = [];
  for (const row of rows) {
    const turn = turnOf(row, everyRow, nowhere, null);
    if (typeof turn === 'string') {
      const bucket = bucketOf(row[mapping.at.time] ?? null);
      noTurns.push({ bucket, reason: turn === 'no_session' ? 'no_session' : 'no_key' });
      continue;
    }
    const { rowKey, sessionId, createdAt } = turn;
    const excluded = mapping.exclude.some((rule) => row[rule.at] === rule.equals);
    found.push({
      rowKey,
      sessionId,
      createdAt,
      excluded,
      digest: digester.digestOf(turn),
      bucket: bucketOf(createdAt),
    });
  }
  return { found, noTurns };
}
