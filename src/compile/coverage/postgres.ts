/**
 * Coverage for compile workers of several hosts, beside the call store that they share. A decision is one transaction, and
 * repeated after a lost connection it is found recorded.
 */
import type pg from 'pg';
import { durably, openPostgresStore, type PostgresStoreOptions } from '../postgres-store.ts';
import type { StoreWords } from '../postgres-store-faults.ts';
import { type Coverage, type CoverageRules, decide, shapeAmong, windowRound } from './coverage.ts';
import { openCoverageSchema } from './postgres-schema.ts';
import { type Traits, traitsOf } from './traits.ts';

const words: StoreWords = {
  name: 'coverage',
  code: 'coverage',
  setting: 'calls.url (TC_CALLS_URL)',
  rights: 'SELECT, INSERT, UPDATE',
  loss: 'the first segments of each shape are then compiled again',
};

/** Two workers that count the same shape at once would both see the last free place. */
const decisionLock = 7_236_114_905_512_805;

/**
 * Opens it, and makes its tables in the schema `trajectory_compiler` where they are missing; `url` is that of the call
 * store.
 *
 * @throws OperatorError `coverage_url`, `coverage_auth`, `coverage_database`, `coverage_permission`, `coverage_tls`,
 * `coverage_newer`: stop; `coverage_unreachable`, `coverage_failed`: retry. So does `admits`, once its patience is over.
 */
export async function openPostgresCoverage(options: PostgresStoreOptions & CoverageRules): Promise<Coverage> {
  const { first, oneIn, windowMs, ...connecting } = options;
  const rules: CoverageRules = { first, oneIn, windowMs };
  const { attempt, patiently, close } = openPostgresStore(connecting, words);
  try {
    await attempt('open', openCoverageSchema);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    async admits(view) {
      const traits = traitsOf(view);
      return (await patiently('count segments in', (client) => admit(client, traits, rules))) || oneIn === 1;
    },
    close,
  };
}

async function admit(client: pg.ClientBase, traits: Traits, rules: CoverageRules): Promise<boolean> {
  const before = await readDecision(client, traits.key);
  if (before !== null) return before;
  return await durably(client, async () => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [decisionLock]);
    return (await readDecision(client, traits.key)) ?? (await decideAndRecord(client, traits, rules));
  });
}

async function readDecision(client: pg.ClientBase, key: string): Promise<boolean | null> {
  // These connections hand out everything as text.
  const { rows } = await client.query<{ admitted: string }>(
    'SELECT admitted::integer AS admitted FROM trajectory_compiler.coverage_decisions WHERE key = $1',
    [key],
  );
  return rows[0] === undefined ? null : Number(rows[0].admitted) === 1;
}

async function decideAndRecord(client: pg.ClientBase, traits: Traits, rules: CoverageRules): Promise<boolean> {
  const { key, at, tools, failures } = traits;
  const { id, passedOver } = await shapeFor(client, traits, rules);
  const names = [`shape ${id}`, ...failures.map((kind) => `failure ${kind}`)];
  const [ofShape = 0, ...ofFailures] = await compiledOf(client, names, windowRound(at, rules));
  const added = await client.query(
    'INSERT INTO trajectory_compiler.coverage_tools (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING',
    [tools],
  );
  const newTool = (added.rowCount ?? 0) > 0;
  const { admitted, why } = decide({ compiled: ofShape, passedOver, newTool, failures: ofFailures }, rules);
  await client.query('INSERT INTO trajectory_compiler.coverage_decisions (key, admitted, why) VALUES ($1, $2, $3)', [
    key,
    admitted,
    why,
  ]);
  if (admitted) {
    await client.query('INSERT INTO trajectory_compiler.coverage_compiled (name, at) SELECT unnest($1::text[]), $2', [
      names,
      at,
    ]);
  }
  await client.query(
    `UPDATE trajectory_compiler.coverage_shapes
     SET passed_over = $2, first_at = least(first_at, $3), last_at = greatest(last_at, $3) WHERE id = $1`,
    [id, why === 'passed_over' ? passedOver + 1 : why === 'sample' ? 0 : passedOver, at],
  );
  return admitted;
}

async function shapeFor(
  client: pg.ClientBase,
  { shingles, at }: Traits,
  rules: CoverageRules,
): Promise<{ id: number; passedOver: number }> {
  const { from, to } = windowRound(at, rules);
  const { rows } = await client.query<Record<'id' | 'size' | 'passed_over' | 'shared', string>>(
    `SELECT s.id, s.size, s.passed_over, count(*) AS shared
     FROM trajectory_compiler.coverage_shingles g JOIN trajectory_compiler.coverage_shapes s ON s.id = g.shape
     WHERE g.shingle = ANY($1) AND s.last_at >= $2 AND s.first_at <= $3 GROUP BY s.id`,
    [shingles, from, to],
  );
  const known = rows.map(({ id, size, passed_over, shared }) => ({
    id: Number(id),
    size: Number(size),
    passedOver: Number(passed_over),
    shared: Number(shared),
  }));
  const shape = shapeAmong(known, shingles.length);
  if (shape !== null) return shape;
  const founded = await client.query<{ id: string }>(
    'INSERT INTO trajectory_compiler.coverage_shapes (size, first_at, last_at) VALUES ($1, $2, $2) RETURNING id',
    [shingles.length, at],
  );
  const id = Number(founded.rows[0]?.id);
  await client.query(
    'INSERT INTO trajectory_compiler.coverage_shingles (shingle, shape) SELECT unnest($1::text[]), $2',
    [shingles, id],
  );
  return { id, passedOver: 0 };
}

async function compiledOf(
  client: pg.ClientBase,
  names: readonly string[],
  { from, to }: { from: number; to: number },
): Promise<number[]> {
  const { rows } = await client.query<{ name: string; compiled: string }>(
    `SELECT name, count(*) AS compiled FROM trajectory_compiler.coverage_compiled
     WHERE name = ANY($1) AND at BETWEEN $2 AND $3 GROUP BY name`,
    [names, from, to],
  );
  const counts = new Map(rows.map(({ name, compiled }) => [name, Number(compiled)]));
  return names.map((name) => counts.get(name) ?? 0);
}
