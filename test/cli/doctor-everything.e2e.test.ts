/** `doctor` as its users run it, where parts run on several hosts: Kafka, models, a shared store and a mirror. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createAuditLog } from '../support/capture.ts';
import { runCli } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';
import { answer, type GeminiServer, startGeminiServer } from '../support/gemini-server.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { createMirror, secretKey, type TestMirror } from '../support/supabase.ts';

interface Line {
  part: string;
  name: string;
  outcome: string;
  sentence: string;
  remedy: string | null;
}

describeKafka('with Kafka, models, a shared store and a mirror', () => {
  let postgres: TestPostgres;
  let kafka: TestKafka;
  let gemini: GeminiServer;
  let mirror: TestMirror;
  let dir: string;
  let env: Record<string, string>;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
    [postgres, kafka, gemini] = await Promise.all([
      startPostgres({ settings: { max_slot_wal_keep_size: '10GB' } }),
      startKafka(),
      startGeminiServer(),
    ]);
    mirror = await createMirror(postgres);
    const source = await createAuditLog(await postgres.createDatabase());
    env = {
      ...{ TC_POSTGRES_URL: source.url, TC_POSTGRES_SLOT: source.slot, TC_POSTGRES_PUBLICATION: 'p' },
      ...{ TC_TOPICS_TRANSPORT: 'kafka', TC_KAFKA_BROKERS: kafka.brokers.join(','), TC_KAFKA_TOPIC_PREFIX: 'doctor.' },
      ...{ TC_COMPILE_TIER: 'cheap', GEMINI_API_KEY: 'not-a-real-key', TC_GEMINI_BASE_URL: gemini.baseUrl },
      ...{ TC_CALLS_URL: await postgres.createDatabase(), TC_REDACT_KEY: 'a-visibly-fake-key', TC_BUDGET_PER_DAY: '5' },
      ...{ TC_SINKS: 'sqlite,supabase', TC_SUPABASE_URL: await mirror.listen(), TC_SUPABASE_KEY: secretKey },
      ...{ TC_METRICS_PORT: String(await freePort()), TC_DATA_DIR: join(dir, 'data') },
    };
  });
  afterAll(async () => {
    await mirror?.close();
    await Promise.all([postgres?.stop(), kafka?.stop(), gemini?.close()]);
    rmSync(dir, { recursive: true, force: true });
  });

  const look = async (more: Record<string, string>, ...flags: string[]) => {
    const { code, stdout, stderr } = await runCli(['doctor', '--json', ...flags], {
      env: { ...env, ...more },
      cwd: dir,
    });
    expect(stdout + stderr).not.toMatch(/not-a-real-key|sb_secret|visibly-fake/);
    return {
      code,
      stderr,
      lines: stdout.split('\n').flatMap((line) => (line === '' ? [] : (JSON.parse(line) as Line))),
    };
  };

  function play(question: string): void {
    gemini.play((response, call) => {
      if (call.path.endsWith(':generateContent')) return answer(question)(response, call);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ name: call.path, inputTokenLimit: 1_048_576 }));
    });
  }

  it('every line is ok, nothing is made and nothing is paid', async () => {
    play('');
    const { code, lines, stderr } = await look({});
    expect(lines.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
    expect(code, stderr).toBe(0);
    expect([...new Set(lines.map(({ part }) => part))]).toEqual([
      ...['program', 'settings', 'data directory', 'source', 'Kafka', 'redaction', 'stores', 'spending', 'models'],
      ...['sink supabase', 'metrics'],
    ]);
    expect(readdirSync(dir)).toEqual([]);
    expect(gemini.received.filter(({ path }) => path.endsWith(':generateContent'))).toEqual([]);
    const schemas = await queryOn(env.TC_CALLS_URL!, "SELECT FROM pg_namespace WHERE nspname = 'trajectory_compiler'");
    expect(schemas).toEqual([]);
  });

  it('with --probe both models are asked once, and what that cost is in the budget', async () => {
    play('{"answer":"yes"}');
    const { code, lines, stderr } = await look({}, '--probe');
    expect(lines.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
    expect(code, stderr).toBe(0);
    expect(lines.filter(({ name }) => name === 'model_probe')).toHaveLength(2);
    const [spent] = await queryOn(
      env.TC_CALLS_URL!,
      'SELECT max(spent) AS nano FROM trajectory_compiler.budget_periods',
    );
    expect(Number(spent?.nano)).toBeGreaterThan(0);
  });

  it('what is wrong in one part is said beside what is well in the others', async () => {
    play('');
    const port = await freePort();
    const { code, lines, stderr } = await look({
      TC_KAFKA_BROKERS: `127.0.0.1:${port}`,
      TC_SUPABASE_KEY: 'sb_publishable_fake',
      TC_REDACT_MODE: 'off',
    });
    expect(code).toBe(3);
    expect(stderr).toMatch(/checks: 2 failures, 2 warnings/);
    const wrong = lines
      .filter(({ outcome }) => outcome !== 'ok')
      .map(({ part, outcome, name }) => [part, outcome, name]);
    expect(wrong).toEqual([
      ['settings', 'warning', 'text_leaves'],
      ['Kafka', 'failure', 'kafka_brokers'],
      ['redaction', 'warning', 'redact_mode'],
      ['sink supabase', 'failure', 'sink_key'],
    ]);
  });
});
