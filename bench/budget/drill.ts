/**
 * Two compile workers share a cap and a data directory, and have more work than money. At the cap they wait; nothing may
 * be lost, parked or paid for beyond it. Started again with a higher cap, they finish everything.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countIn, settingsFor } from '../../test/e2e/pipe.ts';
import { until } from '../../test/support/capture.ts';
import { lastJson, type Running, runCli, startCli } from '../../test/support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../../test/support/postgres.ts';
import { type BillingServer, billedModel, startBillingServer } from './bill.ts';
import { type Books, openBooks } from './books.ts';

export interface DrillOptions {
  trajectories: number;
  capUsd: number;
  /** Of each of the two processes. */
  workers: number;
  /** Where the ledger lies. */
  ledger: 'sqlite' | 'postgres';
  answerMs: number;
  /** Every so many answers are cut off after they were billed. */
  cutEvery: number;
  /** Whether a process is killed while it has calls in flight, and started again. */
  kill: boolean;
  say: (sentence: string) => void;
}

/** Money in US dollars. */
export interface DrillReport {
  /** When both waited at the cap. */
  atCap: {
    billedUsd: number;
    spentUsd: number;
    recordedUsd: number;
    compiled: number;
    byAgent: Record<string, number>;
  };
  /** Of `run --once` with the same cap. */
  exitCodeAtCap: number | null;
  /** When all was done. */
  atEnd: { billedUsd: number; spentUsd: number; compiled: number; answers: { calls: number; prompts: number } };
  cutOff: number;
  deadLetters: number;
  seconds: number;
}

export async function drillBudget(options: DrillOptions): Promise<DrillReport> {
  const begun = performance.now();
  const dir = mkdtempSync(join(tmpdir(), 'drill-budget-'));
  const postgres = await startPostgres();
  const model = await startBillingServer(options.answerMs, options.cutEvery);
  const running: Running[] = [];
  try {
    const env = await environment(options, { dir, postgres, model });
    await seal(env, options.trajectories);
    options.say(`${options.trajectories} trajectories wait`);
    const books = openBooks(env.TC_DATA_DIR!, env.TC_BUDGET_URL ?? null);
    const drill = { options, env, model, books, running };
    const atCap = await spendToTheCap(drill);
    const once = await runCli(['run', '--once', '--role', 'compile'], { env: capped(env, options.capUsd) });
    const atEnd = await finish(drill);
    return {
      atCap,
      exitCodeAtCap: once.code,
      atEnd,
      cutOff: model.cutOff(),
      deadLetters: countIn(join(env.TC_DATA_DIR!, 'topics.sqlite'), 'SELECT count(*) FROM dead_letters'),
      seconds: (performance.now() - begun) / 1_000,
    };
  } finally {
    for (const { child } of running) if (child.exitCode === null) child.kill('SIGKILL');
    await model.server.close();
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Drill {
  options: DrillOptions;
  env: Record<string, string>;
  model: BillingServer;
  books: Books;
  /** Every process that was started. */
  running: Running[];
}

async function environment(
  { workers, ledger }: DrillOptions,
  { dir, postgres, model }: { dir: string; postgres: TestPostgres; model: BillingServer },
): Promise<Record<string, string>> {
  return {
    ...settingsFor(await postgres.createDatabase(), join(dir, 'data')),
    TC_SESSION_IDLE_TIMEOUT: '1s',
    TC_COMPILE_TIER: 'cheap',
    TC_COMPILE_MODEL: billedModel,
    TC_COMPILE_CONCURRENCY: String(workers),
    TC_VERIFY_MODE: 'off',
    TC_COVERAGE_ONE_IN: '1',
    TC_REDACT_MODE: 'off',
    TC_GEMINI_API_KEY: 'not-a-real-key',
    TC_GEMINI_BASE_URL: model.server.baseUrl,
    ...(ledger === 'postgres' ? { TC_BUDGET_URL: await postgres.createDatabase() } : {}),
  };
}

const capped = (env: Record<string, string>, usd: number): Record<string, string> => ({
  ...env,
  TC_BUDGET_PER_DAY: String(usd),
});

/** Sessions of twelve rows, no two alike; of ten, the first eight are of an agent that is loud. */
async function seal(env: Record<string, string>, count: number): Promise<void> {
  lastJson(await runCli(['init', '--create-table', '--json'], { env }));
  const loud = Math.round(count * 0.8);
  for (const [agent, first, last] of [
    ['loud', 1, loud],
    ['quiet', loud + 1, count],
  ] as const) {
    await queryOn(
      env.TC_POSTGRES_URL!,
      `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
       SELECT 'session-' || s, $1, (ARRAY['weigh_parcel', 'move_parcel', 'ask_owner'])[1 + n % 3],
              jsonb_build_object('parcel', 'PX-' || s), jsonb_build_object('seen', repeat(md5((s * 100 + n)::text), 20))
         FROM generate_series($2::int, $3::int) AS s, generate_series(1, 12) AS n ORDER BY s, n`,
      [agent, first, last],
    );
  }
  const { trajectories } = lastJson(await runCli(['run', '--role', 'capture', '--until-idle', '--json'], { env }));
  if (trajectories !== count) throw new Error(`${trajectories} of ${count} sessions were sealed`);
}

async function spendToTheCap(drill: Drill): Promise<DrillReport['atCap']> {
  const { options, model, books, running } = drill;
  const { capUsd, say } = options;
  const env = capped(drill.env, capUsd);
  const start = () => {
    const process = startCli(['run', '--role', 'compile,sink'], { env });
    running.push(process);
    return process;
  };
  const processes = [start(), start()];
  if (options.kill) {
    await until('a third of the money to be spent', () => model.billedUsd() > capUsd / 3);
    processes[1]!.child.kill('SIGKILL');
    await processes[1]!.finished;
    processes[1] = start();
    say(`a process was killed at ${model.billedUsd().toFixed(3)} USD`);
  }
  // Whoever dies keeps its money for a lease; only then is it known that waiting is in vain.
  await until('both to wait at the cap', () => isWaiting(processes, drill), 240_000);
  await until('the dataset to hold what was compiled', async () => books.compiled() >= books.answers().prompts, 60_000);
  const atCap = {
    billedUsd: model.billedUsd(),
    spentUsd: await books.spentUsd(),
    recordedUsd: books.recordedUsd(),
    compiled: books.compiled(),
    byAgent: compiledByAgent(drill.env.TC_DATA_DIR!),
  };
  say(`at the cap: ${JSON.stringify(atCap)}`);
  for (const { child } of processes) child.kill('SIGTERM');
  const ended = await Promise.all(processes.map(({ finished }) => finished));
  for (const { code, stderr } of ended)
    if (code !== 0) throw new Error(`a paused process ended with ${code}: ${stderr}`);
  return atCap;
}

/** True once both said so, and nothing is in flight that could let one go on. */
async function isWaiting(processes: readonly Running[], { books }: Drill): Promise<boolean> {
  for (const { child, output } of processes)
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} at the cap: ${output().stderr}`);
  if (!processes.every(({ output }) => output().stderr.includes('compiling waits'))) return false;
  return (await books.inFlight()) === 0 && (await books.refused()) > 0;
}

function compiledByAgent(dataDir: string): Record<string, number> {
  const count = (agent: string) =>
    countIn(join(dataDir, 'qa_pairs.sqlite'), `SELECT count(*) FROM trajectories WHERE agents LIKE '%${agent}%'`);
  return { loud: count('loud'), quiet: count('quiet') };
}

async function finish({ env, options, model, books }: Drill): Promise<DrillReport['atEnd']> {
  const raised = capped(env, options.capUsd * 1_000);
  const { code, stderr } = await runCli(['run', '--role', 'compile,sink', '--until-idle'], { env: raised });
  if (code !== 0) throw new Error(`with a higher cap: ${code}: ${stderr}`);
  return {
    billedUsd: model.billedUsd(),
    spentUsd: await books.spentUsd(),
    compiled: books.compiled(),
    answers: books.answers(),
  };
}

/** What the drill was to show, and did not. */
export function faultsOf(report: DrillReport, { capUsd, trajectories, kill }: DrillOptions): string[] {
  const { atCap, atEnd, exitCodeAtCap, deadLetters } = report;
  const faults: string[] = [];
  const expected = (what: string, holds: boolean) => {
    if (!holds) faults.push(what);
  };
  const noise = 1e-9;
  expected(`${atCap.billedUsd} USD were billed under a cap of ${capUsd}`, atCap.billedUsd <= capUsd + noise);
  expected(`${atCap.spentUsd} USD were spent under a cap of ${capUsd}`, atCap.spentUsd <= capUsd + noise);
  expected(`only ${atCap.spentUsd} of ${capUsd} USD were spent`, atCap.spentUsd >= capUsd * 0.8);
  expected(`${atCap.compiled} of ${trajectories} were compiled at the cap`, atCap.compiled < trajectories);
  const { loud = 0, quiet = 0 } = atCap.byAgent;
  expected(
    `of the loud agent ${loud} were compiled, of the quiet ${quiet}`,
    Math.min(loud, quiet) > atCap.compiled / 4,
  );
  expected(`run --once ended with ${exitCodeAtCap} at the cap`, exitCodeAtCap === 4);
  expected(`${deadLetters} trajectories are dead letters`, deadLetters === 0);
  expected(`${atEnd.compiled} of ${trajectories} are in the dataset`, atEnd.compiled === trajectories);
  expected(`${atEnd.billedUsd} USD were billed, ${atEnd.spentUsd} counted`, atEnd.billedUsd <= atEnd.spentUsd + noise);
  const { calls, prompts } = atEnd.answers;
  expected(
    `${calls} answers to ${prompts} prompts were paid for`,
    calls === prompts && (kill || calls >= trajectories),
  );
  return faults;
}
