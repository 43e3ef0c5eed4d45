/** The pipe as it runs in production, small: two processes with a role each, models, a mirror, load and faults. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { settingsFor } from '../../e2e/pipe.ts';
import { until } from '../../support/capture.ts';
import { type Running, runCli, startCli } from '../../support/cli.ts';
import { freePort } from '../../support/free-port.ts';
import { queryOn, startPostgres } from '../../support/postgres.ts';
import { startModels } from './model.ts';
import type { LoggedRow } from './recordings.ts';

export interface ScrapedPipeline {
  dataDir: string;
  /** Of the audit log. */
  url: string;
  /** Addresses of /metrics by the name of the process. */
  targets: Readonly<Record<'capture' | 'compile', string>>;
  /** Of each process, as Prometheus gets it. */
  pages(): Promise<string[]>;
  append(rows: readonly LoggedRow[]): Promise<void>;
  /** Holds up the stream, while the server answers everything else; until the function that it resolves with is called. */
  stall(): Promise<() => void>;
  /** Ends the replication connection, as a server's administrator or a network does. */
  disconnect(): Promise<void>;
  /** What an append-only log must not see. */
  tamper(): Promise<void>;
  /** Keeps the mirror locked until a write has waited for it, and ends the connection of that write. */
  failMirror(): Promise<void>;
  stop(): Promise<void>;
}

export async function startPipeline(): Promise<ScrapedPipeline> {
  const dir = mkdtempSync(join(tmpdir(), 'tc-observed-'));
  const [postgres, models] = await Promise.all([
    startPostgres({ settings: { fsync: 'off', max_slot_wal_keep_size: '4GB' } }),
    startModels(),
  ]);
  const running: Running[] = [];
  const stop = async () => {
    for (const { child } of running) if (child.exitCode === null) child.kill('SIGKILL');
    await models.close();
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const [url, mirror] = [await postgres.createDatabase(), await postgres.createDatabase()];
    const dataDir = join(dir, 'data');
    const env = { ...settingsFor(url, dataDir), ...modelSettings(models.baseUrl), ...bothSinks(mirror) };
    await Promise.all([succeed(['init', '--create-table'], env), succeed(['migrate'], env)]);
    const ports = { capture: await freePort(), compile: await freePort() };
    const start = (role: string, port: number) =>
      running.push(startCli(['run', '--role', role], { env: { ...env, TC_METRICS_PORT: String(port) } }));
    start('capture', ports.capture);
    start('compile,sink', ports.compile);
    const targets = { capture: `127.0.0.1:${ports.capture}`, compile: `127.0.0.1:${ports.compile}` };
    await until('both processes to be ready', () => areReady(Object.values(targets), running));
    return {
      dataDir,
      url,
      targets,
      pages: () => Promise.all(Object.values(targets).map((at) => fetch(`http://${at}/metrics`).then((r) => r.text()))),
      append: (rows) => append(url, rows),
      stall: () => stall(url),
      disconnect: () => disconnect(url),
      tamper: () => tamper(url),
      failMirror: () => failMirror(mirror),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function modelSettings(baseUrl: string): Record<string, string> {
  return {
    TC_COMPILE_TIER: 'cheap',
    TC_GEMINI_API_KEY: 'not-a-real-key',
    TC_GEMINI_BASE_URL: baseUrl,
    TC_COMPILE_REQUESTS_PER_MINUTE: '6000',
    TC_COMPILE_TOKENS_PER_MINUTE: '100000000',
    TC_BUDGET_PER_DAY: '20',
    TC_BUDGET_PER_MONTH: '300',
    // Named beforehand, their series are there before the first event.
    TC_METRICS_AGENT_GROUPS: JSON.stringify([
      { group: 'depot', agents: ['depot-*'] },
      { group: 'recorded', agents: ['*'] },
    ]),
    // Segments of one shape, of which then one in so many is compiled.
    TC_COVERAGE_FIRST: '8',
  };
}

const bothSinks = (mirror: string) => ({ TC_SINKS: 'sqlite,supabase', TC_SUPABASE_DATABASE_URL: mirror });

async function succeed(args: string[], env: Record<string, string>): Promise<void> {
  const { code, stderr } = await runCli(args, { env });
  if (code !== 0) throw new Error(`${args[0]} ended with ${code}: ${stderr}`);
}

/** Whether all that run can do their work. @throws what one of them ended with */
export async function areReady(targets: readonly string[], running: readonly Running[]): Promise<boolean> {
  for (const { child, output } of running)
    if (child.exitCode !== null) throw new Error(`run ended with ${child.exitCode}: ${output().stderr}`);
  const asked = targets.map((at) =>
    fetch(`http://${at}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return (await Promise.all(asked)).every((ready) => ready);
}

export async function append(url: string, rows: readonly LoggedRow[]): Promise<void> {
  await queryOn(
    url,
    `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
     SELECT r ->> 'session_id', r ->> 'agent', r ->> 'tool', (r ->> 'arguments')::jsonb, (r ->> 'response')::jsonb
       FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS given (r, at) ORDER BY at`,
    [JSON.stringify(rows)],
  );
}

async function stall(url: string): Promise<() => void> {
  const [walsender] = await queryOn(url, 'SELECT active_pid AS pid FROM pg_replication_slots WHERE active');
  if (walsender === undefined) throw new Error('no replication connection to hold up');
  process.kill(Number(walsender.pid), 'SIGSTOP');
  return () => process.kill(Number(walsender.pid), 'SIGCONT');
}

async function disconnect(url: string): Promise<void> {
  const ended = await queryOn(
    url,
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
      WHERE active_pid IS NOT NULL AND database = current_database()`,
  );
  if (ended.length === 0) throw new Error('no replication connection to end');
}

async function tamper(url: string): Promise<void> {
  await queryOn(url, 'UPDATE audit_log SET duration_ms = 1 WHERE id = 1');
}

async function failMirror(mirror: string): Promise<void> {
  const name = new URL(mirror).pathname.slice(1);
  const holder = queryOn(
    mirror,
    `BEGIN;
     LOCK TABLE trajectories;
     DO $$ DECLARE ended bigint := 0; BEGIN
       WHILE ended = 0 LOOP
         PERFORM pg_sleep(0.05);
         PERFORM pg_stat_clear_snapshot();
         SELECT count(pg_terminate_backend(pid)) INTO ended FROM pg_stat_activity
           WHERE datname = '${name}' AND wait_event_type = 'Lock';
       END LOOP;
     END $$;
     ROLLBACK`,
  );
  await holder;
}
