/** Coverage for the processes of one host: `<dataDir>/coverage.sqlite`. Without the file the first ones are compiled again. */
import { explainSqlite, type Migration, openSqlite, type SqliteDatabase } from '../../sqlite.ts';
import { type Coverage, type CoverageRules, decide, type KnownShape, shapeAmong, windowRound } from './coverage.ts';
import { type Traits, traitsOf } from './traits.ts';

/** `compiled.name` is a shape's number, or a kind of failure. */
export const coverageMigrations: Migration[] = [
  `CREATE TABLE decisions (key TEXT PRIMARY KEY, admitted INTEGER NOT NULL, why TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE shapes (
     id INTEGER PRIMARY KEY,
     size INTEGER NOT NULL,
     passed_over INTEGER NOT NULL DEFAULT 0,
     first_at INTEGER NOT NULL,
     last_at INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE shingles (
     shingle TEXT NOT NULL,
     shape INTEGER NOT NULL,
     PRIMARY KEY (shingle, shape)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE compiled (name TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
   CREATE INDEX compiled_by_name ON compiled (name, at);
   CREATE TABLE tools (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;`,
];

const what = 'coverage';

/** @throws OperatorError as {@link openSqlite} does; so does `admits`. */
export function openCoverage({ path, ...rules }: CoverageRules & { path: string }): Coverage {
  const db = openSqlite(path, { what, migrations: coverageMigrations, synchronous: 'normal' });
  const admit = prepare(db, rules);
  return {
    async admits(view) {
      try {
        return admit.immediate(traitsOf(view)) || rules.oneIn === 1;
      } catch (error) {
        throw explainSqlite(error, what, path);
      }
    },
    async close() {
      db.close();
    },
  };
}

function prepare(db: SqliteDatabase, rules: CoverageRules) {
  const decided = db.prepare('SELECT admitted FROM decisions WHERE key = ?').pluck();
  const alike = db.prepare(
    `SELECT s.id, s.size, s.passed_over AS passedOver, count(*) AS shared
     FROM json_each(?) AS mine CROSS JOIN shingles AS g ON g.shingle = mine.value JOIN shapes AS s ON s.id = g.shape
     WHERE s.last_at >= ? AND s.first_at <= ? GROUP BY s.id`,
  );
  const found = db.prepare('INSERT INTO shapes (size, first_at, last_at) VALUES (?, ?, ?) RETURNING id').pluck();
  const shingle = db.prepare('INSERT INTO shingles (shingle, shape) VALUES (?, ?)');
  const compiled = db.prepare('SELECT count(*) FROM compiled WHERE name = ? AND at BETWEEN ? AND ?').pluck();
  const tool = db.prepare('INSERT INTO tools (name) VALUES (?) ON CONFLICT DO NOTHING');
  const record = db.prepare('INSERT INTO decisions (key, admitted, why) VALUES (?, ?, ?)');
  const count = db.prepare('INSERT INTO compiled (name, at) VALUES (?, ?)');
  const move = db.prepare(
    'UPDATE shapes SET passed_over = ?, first_at = min(first_at, ?), last_at = max(last_at, ?) WHERE id = ?',
  );

  function shapeFor({ shingles, at }: Traits): { id: number; passedOver: number } {
    const { from, to } = windowRound(at, rules);
    const known = alike.all(JSON.stringify(shingles), from, to) as KnownShape[];
    const shape = shapeAmong(known, shingles.length);
    if (shape !== null) return shape;
    const id = found.get(shingles.length, at, at) as number;
    for (const one of shingles) shingle.run(one, id);
    return { id, passedOver: 0 };
  }

  // Immediate: two workers that count the same shape at once would both see the last free place.
  return db.transaction((traits: Traits): boolean => {
    const known = decided.get(traits.key);
    if (known !== undefined) return known === 1;
    const { at, tools, failures } = traits;
    const { from, to } = windowRound(at, rules);
    const { id, passedOver } = shapeFor(traits);
    const names = [`shape ${id}`, ...failures.map((kind) => `failure ${kind}`)];
    const [ofShape = 0, ...ofFailures] = names.map((name) => compiled.get(name, from, to) as number);
    const newTool = tools.filter((name) => tool.run(name).changes > 0).length > 0;
    const standing = { compiled: ofShape, passedOver, newTool, failures: ofFailures };
    const { admitted, why } = decide(standing, rules);
    record.run(traits.key, admitted ? 1 : 0, why);
    if (admitted) for (const name of names) count.run(name, at);
    move.run(why === 'passed_over' ? passedOver + 1 : why === 'sample' ? 0 : passedOver, at, at, id);
    return admitted;
  });
}
