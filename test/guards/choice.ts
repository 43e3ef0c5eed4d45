/** Guards of what is compiled at all, and of what of it is in view. */
import type { Guard } from './guard.ts';

const coverage = 'src/compile/coverage/coverage.ts';
const covered = ['test/compile/coverage/coverage.test.ts'];
const duplicates = ['test/duplicates.test.ts'];

export const choiceGuards: readonly Guard[] = [
  {
    name: 'coverage: a segment gets the answer that it was given before',
    file: 'src/compile/coverage/sqlite.ts',
    old: 'if (known !== undefined) return known === 1;',
    new: "db.prepare('DELETE FROM decisions WHERE key = ?').run(traits.key);",
    tests: covered,
  },
  {
    name: 'coverage: the first ones of a shape are compiled',
    file: coverage,
    old: 'if (compiled < rules.first)',
    new: 'if (compiled < 0)',
    tests: covered,
  },
  {
    name: 'coverage: failures are compiled while their kind is rare',
    file: coverage,
    old: 'if (failures.some((seen) => seen < rules.first))',
    new: 'if (failures.some((seen) => seen < 0))',
    tests: covered,
  },
  {
    name: 'coverage: of the further ones one in so many is compiled',
    file: coverage,
    old: 'if (passedOver + 1 >= rules.oneIn)',
    new: 'if (passedOver < 0)',
    tests: covered,
  },
  {
    name: 'coverage: the window reaches both ways',
    file: coverage,
    old: 'to: at + windowMs * 1000',
    new: 'to: at',
    tests: covered,
  },
  {
    name: 'coverage: workers of several hosts decide one after the other',
    file: 'src/compile/coverage/postgres.ts',
    old: "await client.query('SELECT pg_advisory_xact_lock($1)', [decisionLock]);",
    new: '',
    tests: ['test/compile/coverage/coverage.pg.test.ts'],
  },
  {
    name: 'duplicates: what nobody sees takes no place',
    file: 'src/duplicates.ts',
    old: " AND p.verification NOT IN ('fail', 'held', 'error') AS seen",
    new: ' AS seen',
    tests: duplicates,
  },
  {
    name: 'duplicates: the group that a pair leaves is gone over too',
    file: 'src/duplicates.ts',
    old: 'if (before !== undefined) groups.add(before);',
    new: '',
    tests: duplicates,
  },
  {
    name: 'duplicates: the pass hears of every verdict',
    file: 'src/dataset-groups.ts',
    old: ' OR new.verification IS NOT old.verification',
    new: '',
    tests: duplicates,
  },
  {
    name: 'duplicates: in the order of making, not of coming',
    file: 'src/duplicates.ts',
    old: 'WHERE g.name = ? ORDER BY p.created_at, p.pair_key`',
    new: 'WHERE g.name = ? ORDER BY p.rowid`',
    tests: duplicates,
  },
  {
    name: 'compile --session: a row that was changed does not get into a stored trajectory',
    file: 'src/original-rows.ts',
    old: 'if (row === undefined || !isOriginal(turn, row, digester)) return stored;',
    new: 'if (row === undefined) return stored;',
    tests: ['test/original-rows.test.ts'],
  },
  {
    name: 'compile --session: what was left out is compiled',
    file: 'src/existing.ts',
    old: 'for (const id of skippedAmong(dataset, ids)) done.delete(id);',
    new: '{}',
    tests: ['test/cli/existing-sessions.pg.test.ts'],
  },
  {
    name: 'dry run: the text is redacted',
    file: 'src/dry-run.ts',
    old: 'segmentTrajectory(trajectory, {',
    new: 'segmentTrajectory(original, {',
    tests: ['test/cli/existing-sessions.pg.test.ts'],
  },
  {
    name: 'compile: text that was read from the log again does not pass for redacted text that was changed',
    file: 'src/original-rows.ts',
    old: 'turns, contentHash: contentHashOf(turns) }',
    new: 'turns }',
    tests: ['test/original-rows.test.ts'],
  },
];
