/**
 * Coverage for compile workers of several hosts, beside the call store that they share. A decision is one transaction, and
 * repeated after a lost connection it is found recorded.
 */
import type pg from 'pg';
import { persevere } from '../../lifecycle.ts';
import type { Logger } from '../../log.ts';
import { openPool } from '../../postgres/connection.ts';
import { explainCalls, refuseOtherUrls } from '../calls-postgres-faults.ts';
import { type Coverage, type CoverageRules, decide, shapeAmong, windowRound } from './coverage.ts';
import { openCoverageSchema } from './postgres-schema.ts';
import { type Traits, traitsOf } from './traits.ts';

export interface PostgresCoverageOptions extends CoverageRules {
  /** Of the database of the call store: `calls.url`. */
  url: string;
  log: Logger;
  /** Until it fires, a server that can't be reached is waited for without end. */
  drain?: AbortSignal;
}

const maxConnections = 2;
const statementTimeoutMs = 30_000;
const backoff = { baseMs: 100, maxMs: 3_000 };

/** Two workers that count the same shape at once would both see the last free place. */
const decisionLock = 7_236_114_905_512_805;

/** @throws OperatorError with the codes of the call store, `calls_unreachable` and so on; so does `admits`. */
export async function openPostgresCoverage(options: PostgresCoverageOptions): Promise<Coverage> {
  const { url, log, drain: signal = new AbortController().signal, ...rules } = options;
  refuseOtherUrls(url);
  const pool = openPool(url, { purpose: 'coverage', queryTimeoutMs: statementTimeoutMs }, maxConnections);
  const attempt = async <T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> => {
    try {
      return await onConnection(pool, work);
    } catch (error) {
      throw explainCalls(error, url, 'count segments in');
    }
  };
  try {
    await attempt(openCoverageSchema);
  } catch (error) {
    await pool.end();
    throw error;
  }
  return {
    async admits(view) {
      const traits = traitsOf(view);
      const patience = { signal, log, doing: 'count segments of a shape', backoff };
      return (await persevere(() => attempt((client) => admit(client, traits, rules)), patience)) || rules.oneIn === 1;
    },
    close: () => pool.end(),
  };
}

/** A connection on which anything failed is not used again: nobody knows what it is in the middle of. */
async function onConnection<T>(pool: pg.Pool, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    const result = await work(client);
    client.release();
    return result;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function admit(client: pg.ClientBase, traits: Traits, rules: CoverageRules): Promise<boolean> {
  const before = await readDecision(client, traits.key);
  if (before !== null) return before;
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  await client.query('SELECT pg_advisory_xact_lock($1)', [decisionLock]);
  const meanwhile = await readDecision(client, traits.key);
  const admitted = meanwhile ?? (await decideAndRecord(client, traits, rules));
  await client.query('COMMIT');
  return admitted;
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
