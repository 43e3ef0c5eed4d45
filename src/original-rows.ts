/** A trajectory that the dataset holds, with the text of its rows as the audit log has it. */
import type { Trajectory, Turn } from './records.ts';
import type { RowDigester } from './row-digest.ts';
import { contentHashOf } from './sessionizer/trajectory.ts';

/**
 * The same trajectory, its turns' text read from the table again; as it is stored where a row is gone or was changed
 * since it was taken in.
 *
 * @throws OperatorError where the table can't be read.
 */
export async function withOriginalText(
  stored: Trajectory,
  reader: { readRows(keys: string[]): Promise<Turn[]> },
  digester: RowDigester,
): Promise<Trajectory> {
  const rows = await reader.readRows(stored.turns.map(({ rowKey }) => rowKey));
  const byKey = new Map(rows.map((row) => [row.rowKey, row]));
  const turns: Turn[] = [];
  for (const turn of stored.turns) {
    const row = byKey.get(turn.rowKey);
    if (row === undefined || !isOriginal(turn, row, digester)) return stored;
    const { position, committedAt, digest } = turn;
    turns.push({ ...row, position, committedAt, ...(digest === undefined ? {} : { digest }) });
  }
  return { ...stored, turns, contentHash: contentHashOf(turns) };
}

/** By the digest that was taken of the row, where it is there and of this key. */
function isOriginal({ digest }: Turn, row: Turn, { keyId, digestOf }: RowDigester): boolean {
  return digest === undefined || !digest.startsWith(`${keyId}:`) || digest === digestOf(row);
}
