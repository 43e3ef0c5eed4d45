/**
 * The pass over the dataset that keeps a routine's questions from crowding out the rest: of the pairs of one agent and
 * week that ask the same of different things, a few stay in view and the others name the first of them. What it marks
 * follows from the rows alone, not from the order in which they came, and it looks at changed groups only.
 */
import { createHash } from 'node:crypto';
import { isoWeek, maskedQuestion } from './dataset/masked-question.ts';
import { datasetMigrations } from './dataset-file.ts';
import { explainSqlite, openSqlite, type SqliteDatabase } from './sqlite.ts';

/** Of one masked question, agent and week. */
export const pairsInView = 5;

export interface DuplicateUpdate {
  pairKey: string;
  /** Key of the first pair of the group; null where the pair is in view. */
  duplicateOf: string | null;
}

export interface DuplicatePass {
  /**
   * Looks at up to `limit` pairs that were written since it last did, a few milliseconds a thousand.
   *
   * @returns how many it looked at: with fewer than `limit` nothing is left to do.
   * @throws OperatorError as writing to the dataset does: `file_busy` (retry), `disk_full`, `file_corrupt` (stop).
   */
  mark(limit?: number): number;
  /** What a mirror has not been told yet, in the order of pair keys; with `after`, of those behind it. */
  untold(options?: { limit?: number; after?: string }): DuplicateUpdate[];
  /** The mirror holds these now. What it lacks, since the pair has not come there yet, is left out and told again later. */
  told(updates: readonly DuplicateUpdate[]): void;
  close(): void;
}

/** Beside whoever else has the dataset open. @throws OperatorError as {@link openSqlite} does. */
export function openDuplicatePass(path: string): DuplicatePass {
  const db = openSqlite(path, { what: 'dataset', migrations: datasetMigrations });
  const mark = prepareMark(db);
  const untold = db.prepare(
    `SELECT pair_key AS pairKey, duplicate_of AS duplicateOf FROM question_groups
     WHERE duplicate_of IS NOT told AND pair_key > ? ORDER BY pair_key LIMIT ?`,
  );
  // By value: the pass may have changed its mind since they were read.
  const tell = db.prepare('UPDATE question_groups SET told = @duplicateOf WHERE pair_key = @pairKey');
  const tellAll = db.transaction((updates: readonly DuplicateUpdate[]) => {
    for (const update of updates) tell.run(update);
  });
  const explained = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, 'dataset', path);
    }
  };
  return {
    mark: (limit = 1000) => explained(() => mark.immediate(limit)),
    untold: ({ limit = 1000, after = '' } = {}) => explained(() => untold.all(after, limit) as DuplicateUpdate[]),
    told: (updates) => explained(() => tellAll.immediate(updates)),
    close: () => void db.close(),
  };
}

/** Where the marks are held a second time. */
export interface MarkedMirror {
  /** Resolves with those of them that it holds now: it may not have every pair yet. */
  mark(updates: readonly DuplicateUpdate[], signal: AbortSignal): Promise<readonly DuplicateUpdate[]>;
}

/**
 * Tells the mirror everything that it was not told yet.
 *
 * @returns how many marks it took.
 * @throws OperatorError as the mirror does; what it took before is not told again.
 */
export async function tellMirror(pass: DuplicatePass, mirror: MarkedMirror, signal: AbortSignal): Promise<number> {
  let taken = 0;
  for (let updates = pass.untold(); updates.length > 0; updates = pass.untold({ after: updates.at(-1)!.pairKey })) {
    const held = await mirror.mark(updates, signal);
    pass.told(held);
    taken += held.length;
  }
  return taken;
}

interface PairRow {
  question: string | null;
  agent: string | null;
  /** When its trajectory ended; of a pair from before this program, when it was made. */
  at: string | null;
}

function prepareMark(db: SqliteDatabase) {
  const changed = db.prepare('SELECT pair_key FROM ungrouped_pairs ORDER BY pair_key LIMIT ?').pluck();
  const looked = db.prepare('DELETE FROM ungrouped_pairs WHERE pair_key = ?');
  const pair = db.prepare(
    `SELECT p.question, p.agent, coalesce(t.ended_at, p.created_at) AS at
     FROM qa_pairs AS p LEFT JOIN trajectories AS t ON t.id = p.trajectory_id WHERE p.pair_key = ?`,
  );
  const nameOf = db.prepare('SELECT name FROM question_groups WHERE pair_key = ?').pluck();
  const leave = db.prepare('DELETE FROM question_groups WHERE pair_key = ?');
  const join = db.prepare(
    `INSERT INTO question_groups (pair_key, name) VALUES (?, ?)
     ON CONFLICT DO UPDATE SET name = excluded.name WHERE name <> excluded.name`,
  );
  const settle = prepareSettle(db);
  return db.transaction((limit: number): number => {
    const keys = changed.all(limit) as string[];
    const groups = new Set<string>();
    for (const key of keys) {
      const before = nameOf.get(key) as string | undefined;
      const row = pair.get(key) as PairRow | undefined;
      if (before !== undefined) groups.add(before);
      if (row === undefined) leave.run(key);
      else {
        const name = groupOf(row);
        join.run(key, name);
        groups.add(name);
      }
      looked.run(key);
    }
    for (const name of groups) settle(name);
    return keys.length;
  });
}

function groupOf({ question, agent, at }: PairRow): string {
  const parts = [agent, isoWeek(at), maskedQuestion(question ?? '')];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

/** Pairs that nobody would see anyway take no place of those that are seen. */
function prepareSettle(db: SqliteDatabase): (name: string) => void {
  const members = db.prepare(
    `SELECT p.pair_key AS pairKey, p.duplicate_of AS duplicateOf,
            p.status = 'active' AND p.verification NOT IN ('fail', 'held', 'error') AS seen
     FROM question_groups AS g JOIN qa_pairs AS p ON p.pair_key = g.pair_key
     WHERE g.name = ? ORDER BY p.created_at, p.pair_key`,
  );
  const markPair = db.prepare('UPDATE qa_pairs SET duplicate_of = @duplicateOf WHERE pair_key = @pairKey');
  const noteIt = db.prepare('UPDATE question_groups SET duplicate_of = @duplicateOf WHERE pair_key = @pairKey');
  return (name) => {
    const all = members.all(name) as (DuplicateUpdate & { seen: number })[];
    const seen = all.filter((member) => member.seen === 1);
    const hidden = new Set(seen.slice(pairsInView).map(({ pairKey }) => pairKey));
    for (const { pairKey, duplicateOf: before } of all) {
      const update = { pairKey, duplicateOf: hidden.has(pairKey) ? (seen[0]?.pairKey ?? null) : null };
      if (update.duplicateOf === before) continue;
      markPair.run(update);
      noteIt.run(update);
    }
  };
}
