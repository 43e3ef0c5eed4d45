/**
 * How large a dataset is while it grows. It is counted a piece at a time, since one statement over a large file would hold
 * up whatever else the process does, and no more often than that costs next to nothing.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { within } from '../lifecycle.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { type DatasetTotals, inView } from './stats.ts';

/** Rows of a piece: some milliseconds. */
const pieceRows = 1_000;
/** Between two counts lies so many times what counting took. */
const restFactor = 20;
/** Whoever asks waits so long for a count under way, and then gets the one before it. */
const waitMs = 50;

/** What was counted last; null where nothing was counted yet, or the file can't be read. */
export type DatasetSize = () => Promise<DatasetTotals | null>;

export function followSize(db: SqliteDatabase): DatasetSize {
  const pieces = tables.map(({ table, counts }) => db.prepare(pieceOf(table, counts)));
  let size: DatasetTotals | null = null;
  let version: unknown = null;
  let dueAt = 0;
  let counting: Promise<void> | null = null;

  async function count(): Promise<void> {
    const of = { ...nothing };
    let tookMs = 0;
    version = versionOf(db);
    for (const piece of pieces) {
      for (let after: number | null = 0; after !== null; await turn()) {
        const began = performance.now();
        const { last, ...counted } = piece.get({ after }) as Counted & { last: number | null };
        for (const name of names) of[name] += counted[name];
        after = last;
        tookMs += performance.now() - began;
      }
    }
    size = totalsOf(of);
    dueAt = performance.now() + restFactor * tookMs;
  }

  function unreadable(): void {
    size = null;
    version = null;
  }

  return async () => {
    try {
      if (counting === null && performance.now() >= dueAt && versionOf(db) !== version)
        counting = count()
          .catch(unreadable)
          .finally(() => {
            counting = null;
          });
    } catch {
      unreadable();
    }
    await within(waitMs, counting ?? Promise.resolve());
    return size;
  };
}

const nothing = { pairs: 0, rejected: 0, items: 0, known: 0, usd: 0 };
type Counted = typeof nothing;
const names = Object.keys(nothing) as (keyof Counted)[];

/** Items are what was paid for, each once: calls, and pairs whose calls are not recorded. */
const tables: readonly { table: string; counts: Partial<Record<keyof Counted, string>> }[] = [
  {
    table: 'qa_pairs',
    counts: {
      pairs: inView,
      items: 'segment_id IS NULL',
      known: 'segment_id IS NULL AND cost_usd IS NOT NULL',
      usd: 'CASE WHEN segment_id IS NULL THEN cost_usd END',
    },
  },
  { table: 'rejections', counts: { rejected: "status = 'active'" } },
  { table: 'llm_calls', counts: { items: '1', known: 'cost_usd IS NOT NULL', usd: 'cost_usd' } },
];

function pieceOf(table: string, counts: Partial<Record<keyof Counted, string>>): string {
  const sums = names.map((name) => `coalesce(sum(${counts[name] ?? '0'}), 0) AS ${name}`);
  return `SELECT max(rowid) AS last, ${sums.join(', ')}
            FROM (SELECT rowid, * FROM ${table} WHERE rowid > @after ORDER BY rowid LIMIT ${pieceRows})`;
}

function totalsOf({ pairs, rejected, items, known, usd }: Counted): DatasetTotals {
  const costUsd = items > 0 && known === 0 ? null : usd;
  return { pairs, rejected, costUsd, unknownCosts: items - known };
}

/** Another one whenever somebody else has written. */
function versionOf(db: SqliteDatabase): unknown {
  return db.pragma('data_version', { simple: true });
}
