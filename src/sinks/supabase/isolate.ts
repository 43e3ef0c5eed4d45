/**
 * Writes rows in halves of halves until each row that can't be written stands alone. `attempt` writes all of its rows and
 * resolves with null, or writes none and resolves with the reason; what it throws ends the whole.
 */
export async function isolate<T>(
  rows: readonly T[],
  attempt: (rows: readonly T[]) => Promise<string | null>,
): Promise<{ row: T; reason: string }[]> {
  if (rows.length === 0) return [];
  const reason = await attempt(rows);
  if (reason === null) return [];
  if (rows.length === 1) return [{ row: rows[0]!, reason }];
  const middle = Math.floor(rows.length / 2);
  const before = await isolate(rows.slice(0, middle), attempt);
  return [...before, ...(await isolate(rows.slice(middle), attempt))];
}
