/** Trajectories too large for a message: they travel as claims on rows of the audit log. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lastJson, runCli } from '../support/cli.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { digestOfTurns, prepare, sessionsOfTable, settingsFor, trajectoriesOf } from './pipe.ts';

const recordings = fileURLToPath(new URL('../../../shared/data/audit_log.jsonl.gz', import.meta.url));

/** The recordings, or where they are not beside the checkout something of their size, row after row as one session. */
function chainedSession(rows: number): string {
  const lines = existsSync(recordings)
    ? gunzipSync(readFileSync(recordings)).toString('utf8').split('\n')
    : Array.from({ length: rows }, (_, n) =>
        JSON.stringify({ tool: 'read', arguments: { n }, response: `${n} `.repeat(500) }),
      );
  const start = Date.UTC(2026, 0, 5);
  return lines
    .slice(0, rows)
    .map((line, n) => {
      const created_at = new Date(start + n * 1000).toISOString();
      return JSON.stringify({ ...(JSON.parse(line) as object), session_id: 'chained', created_at });
    })
    .join('\n');
}

describeKafka('a trajectory too large for a message', { timeout: 180_000 }, () => {
  let kafka: TestKafka;
  let postgres: TestPostgres;
  let dir: string;
  beforeAll(async () => {
    [kafka, postgres] = await Promise.all([startKafka(), startPostgres()]);
    dir = mkdtempSync(join(tmpdir(), 'tc-claim-'));
  });
  afterAll(async () => {
    await Promise.all([kafka?.stop(), postgres?.stop()]);
    rmSync(dir, { recursive: true, force: true });
  });

  const settings = (url: string, name: string): Record<string, string> => ({
    ...settingsFor(url, join(dir, name)),
    TC_POSTGRES_SLOT: name,
    TC_TOPICS_TRANSPORT: 'kafka',
    TC_KAFKA_BROKERS: kafka.brokers.join(','),
    TC_KAFKA_TOPIC_PREFIX: `${name}.`,
    TC_KAFKA_PARTITIONS: '2',
    // The stored text is compared with the table's.
    TC_REDACT_MODE: 'off',
  });

  /** What lies on a topic: bytes of its values, and the headers that we set. */
  async function messagesOn(
    topic: string,
    count: number,
  ): Promise<{ bytes: number; headers: Record<string, string> }[]> {
    const client = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING });
    const consumer = client.consumer({ groupId: `${topic}.read-by-a-test` });
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const messages: { bytes: number; headers: Record<string, string> }[] = [];
    await new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({ message: { value, headers = {} } }) => {
          const texts = Object.entries(headers).map(([name, text]): [string, string] => [name, String(text)]);
          messages.push({ bytes: value?.length ?? 0, headers: Object.fromEntries(texts) });
          if (messages.length === count) resolve();
        },
      });
    });
    await consumer.disconnect();
    return messages;
  }

  it('of 3,000 chained recorded turns arrives whole, though no message holds it', async () => {
    const url = await postgres.createDatabase();
    const file = join(dir, 'chained.jsonl');
    writeFileSync(file, chainedSession(3000));
    const env: Record<string, string> = {
      ...settings(url, 'chained'),
      TC_KAFKA_MAX_INLINE_SIZE: '128KiB',
      TC_SESSION_MAX_TURNS: '5000',
      TC_SESSION_MAX_BYTES: '256MiB',
    };
    await prepare(env, file);
    const totals = lastJson(await runCli(['run', '--until-idle', '--json'], { env }));
    expect(totals).toMatchObject({ rows: 3000, sessions: 1, trajectories: 1, parked: 0 });

    const [trajectory, ...more] = trajectoriesOf(env.TC_DATA_DIR!);
    expect(more).toEqual([]);
    expect(trajectory!.turns).toHaveLength(3000);
    expect(digestOfTurns(trajectory!.turns)).toBe((await sessionsOfTable(url)).get('chained'));

    const [claim] = await messagesOn('chained.trajectories', 1);
    expect(claim!.headers.claim).toBe('1');
    expect(claim!.bytes).toBeLessThan(128 * 1024);
    const body = JSON.stringify(trajectory!.turns);
    expect(body.length).toBeGreaterThan(2 * 1024 * 1024);
    const pieces = await messagesOn('chained.compiled', 10);
    for (const { bytes } of pieces) expect(bytes).toBeLessThan(128 * 1024);
  });

  it('is parked where one of its rows is gone by then, and the others are compiled', async () => {
    const url = await postgres.createDatabase();
    const env: Record<string, string> = {
      ...settings(url, 'pruned'),
      TC_KAFKA_MAX_INLINE_SIZE: '1KiB',
      TC_SESSION_IDLE_TIMEOUT: '1s',
    };
    expect((await runCli(['init', '--create-table'], { env })).code).toBe(0);
    await queryOn(
      url,
      `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
       SELECT 's' || s, 'tester', 'probe', jsonb_build_object('n', n), to_jsonb(md5(n::text || s) || md5(s::text || n))
         FROM generate_series(1, 2) AS s, generate_series(1, 40) AS n`,
    );
    expect(lastJson(await runCli(['run', '--role', 'capture', '--until-idle', '--json'], { env }))).toMatchObject({
      trajectories: 2,
    });
    await queryOn(url, `DELETE FROM audit_log WHERE id = (SELECT max(id) FROM audit_log WHERE session_id = 's1')`);
    lastJson(await runCli(['run', '--role', 'compile', '--role', 'sink', '--until-idle', '--json'], { env }));
    expect(trajectoriesOf(env.TC_DATA_DIR!).map(({ sessionId, turns }) => [sessionId, turns.length])).toEqual([
      ['s2', 40],
    ]);
    const letter = lastJson(await runCli(['dlq', 'list', '--json'], { env }));
    expect(letter).toMatchObject({
      topic: 'trajectories',
      group: 'compile',
      key: 's1',
      code: 'claim_lost',
      attempts: 1,
    });
    expect(letter.error).toContain('1 of the 40 rows');
  });
});
