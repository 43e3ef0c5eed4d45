/**
 * What a capture and a compile worker cost while nothing happens: CPU of each process over a while, beside a Node process
 * that only sleeps.
 *
 *     npx tsx bench/idle.ts [--seconds 60]
 *
 * On Linux (it reads /proc). Postgres and the broker are real; settings are the defaults.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pause } from '../src/lifecycle.ts';
import { lastJson, runCli, startCli } from '../test/support/cli.ts';
import { freePort } from '../test/support/free-port.ts';
import { startKafka } from '../test/support/kafka.ts';
import { startPostgres } from '../test/support/postgres.ts';
import { readMetrics } from './drill/scrape.ts';

/** Of Linux on every machine that Node runs on: sysconf(_SC_CLK_TCK). */
const ticksPerSecond = 100;
const settleMs = 10_000;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });
const seconds = Number(values.seconds);
const dir = mkdtempSync(join(tmpdir(), 'bench-idle-'));
const postgres = await startPostgres();
const kafka = await startKafka();
const stops: (() => Promise<unknown>)[] = [];
try {
  const pids = new Map([['a Node process that sleeps', startSleeper()]]);
  const transports = { embedded: {}, kafka: { TC_KAFKA_BROKERS: kafka.brokers.join(',') } };
  for (const [transport, more] of Object.entries(transports)) {
    const common = { TC_POSTGRES_URL: await postgres.createDatabase(), TC_POSTGRES_SLOT: `idle_${transport}`, ...more };
    const env = { ...common, TC_DATA_DIR: join(dir, transport), TC_TOPICS_TRANSPORT: transport };
    lastJson(await runCli(['init', '--create-table', '--json'], { env }));
    for (const role of ['capture', 'compile']) pids.set(`${role}, ${transport}`, await startRole(role, env));
  }
  await pause(settleMs);
  const before = new Map([...pids].map(([name, pid]) => [name, cpuSeconds(pid)]));
  await pause(seconds * 1_000);
  for (const [name, pid] of pids) {
    const spent = cpuSeconds(pid) - (before.get(name) ?? 0);
    process.stdout.write(
      `${name}: ${spent.toFixed(2)} s of CPU in ${seconds} s, ${((100 * spent) / seconds).toFixed(2)} %\n`,
    );
  }
} finally {
  await Promise.all(stops.map((stop) => stop()));
  await kafka.stop();
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
}

function startSleeper(): number {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  stops.push(async () => child.kill());
  return child.pid ?? 0;
}

/** Resolves once it answers. */
async function startRole(role: string, env: Record<string, string>): Promise<number> {
  const port = await freePort();
  const running = startCli(['run', '--role', role], { env: { ...env, TC_METRICS_PORT: String(port) } });
  stops.push(() => {
    running.child.kill('SIGTERM');
    return running.finished;
  });
  const ended = running.finished.then(({ stderr }) => Promise.reject(new Error(`${role} ended: ${stderr}`)));
  ended.catch(() => {});
  const answers = async () => {
    while ((await readMetrics(port)) === null) await pause(200);
  };
  await Promise.race([answers(), ended]);
  return running.child.pid ?? 0;
}

/** utime and stime of /proc/PID/stat; https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
