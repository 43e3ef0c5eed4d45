/**
 * How long a compile worker takes against a model that answers after 1 s, with 64 calls in flight, measured against the
 * least that this can take: trajectories / 64 × 1 s. From the first delivery to the last acknowledgement, on the embedded
 * topic and on Kafka; then with one answer that takes 30 s, which may hold up nobody else.
 *
 *     npx tsx bench/compile.ts [--trajectories 1000]
 *
 * The worker runs in this process, the model in another; Postgres and the broker are real.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startKafka, type TestKafka } from '../test/support/kafka.ts';
import { startPostgres, type TestPostgres } from '../test/support/postgres.ts';
import { startModel } from './compile/model.ts';
import { sealSessions } from './compile/sealed.ts';
import { type Timing, workThrough } from './compile/worker.ts';

const inFlight = 64;
const answerMs = 1_000;
const slowMs = 30_000;
const mayExceedBy = 0.1;

type TransportName = 'embedded' | 'kafka';

interface Run {
  transport: TransportName;
  trajectories: number;
  slowMs?: number;
}

interface Result extends Timing {
  calls: number;
}

const { values } = parseArgs({ options: { trajectories: { type: 'string', default: '1000' } } });
const trajectories = Number(values.trajectories);
const dir = mkdtempSync(join(tmpdir(), 'bench-compile-'));
const postgres = await startPostgres();
const kafka = await startKafka();
let runs = 0;
let missed = 0;
try {
  for (const transport of ['embedded', 'kafka'] as const) {
    tell(await measure({ transport, trajectories }, postgres, kafka), { transport, trajectories });
    const slow = { transport, trajectories: Math.ceil(trajectories / 4), slowMs };
    tell(await measure(slow, postgres, kafka), slow);
  }
} finally {
  await kafka.stop();
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
}
process.exitCode = missed === 0 ? 0 : 1;

async function measure(run: Run, { createDatabase }: TestPostgres, { brokers }: TestKafka): Promise<Result> {
  const name = `run_${++runs}`;
  const model = await startModel(answerMs, run.slowMs);
  try {
    const env = {
      TC_POSTGRES_URL: await createDatabase(),
      TC_POSTGRES_SLOT: name,
      TC_DATA_DIR: join(dir, name),
      TC_SESSION_IDLE_TIMEOUT: '1s',
      TC_TOPICS_TRANSPORT: run.transport,
      ...(run.transport === 'kafka' ? { TC_KAFKA_BROKERS: brokers.join(','), TC_KAFKA_TOPIC_PREFIX: `${name}.` } : {}),
      TC_COMPILE_TIER: 'cheap',
      TC_REDACT_MODE: 'off',
      // Every trajectory is of one shape.
      TC_COVERAGE_ONE_IN: '1',
      TC_COMPILE_CONCURRENCY: String(inFlight),
      TC_GEMINI_API_KEY: 'not-a-real-key',
      TC_GEMINI_BASE_URL: model.baseUrl,
    };
    await sealSessions(env, run.trajectories);
    return { ...(await workThrough(env, run.trajectories)), calls: await model.calls() };
  } finally {
    model.stop();
  }
}

function tell({ totalMs, finishedMs, cpuMs, calls }: Result, run: Run): void {
  const slow = run.slowMs === undefined ? 0 : 1;
  const count = run.trajectories - slow;
  // The slow one takes a place of the 64 for as long as the others run.
  const idealMs = (count / (inFlight - slow)) * answerMs;
  const tookMs = slow === 0 ? totalMs : (finishedMs[count - 1] ?? Number.POSITIVE_INFINITY);
  // Beside a slow one too few run for shares to mean much: a start, and a last round that is not full.
  const mostMs = idealMs * (1 + mayExceedBy) + slow * answerMs;
  const good = tookMs <= mostMs && calls === run.trajectories;
  if (!good) missed += 1;
  const what =
    slow === 0 ? `${count} trajectories` : `${count} trajectories beside one that takes ${run.slowMs! / 1000} s`;
  const share = `${(100 * (tookMs / idealMs - 1)).toFixed(1)} % over the least of ${(idealMs / 1000).toFixed(2)} s`;
  const line = `${run.transport}: ${what}: ${(tookMs / 1000).toFixed(2)} s, ${share}, ${calls} calls, ${(cpuMs / 1000).toFixed(1)} s of CPU${good ? '' : ': MISSED'}`;
  process.stdout.write(`${line}\n`);
}
