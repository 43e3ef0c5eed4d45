/** What the processes of a drill stand on: Postgres with the log, the call store and the mirror, and a broker. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Releasers } from '../../src/lifecycle.ts';
import { runCli } from '../../test/support/cli.ts';
import { type KafkaVersion, startKafka, type TestKafka } from '../../test/support/kafka.ts';
import { startPostgres } from '../../test/support/postgres.ts';

export interface Servers {
  kafka: TestKafka;
  /** Of the database that holds the audit log. */
  logUrl: string;
  mirrorUrl: string;
  topicPrefix: string;
  /** Settings of a process that shares nothing with the others but the servers. */
  settings(part: string, sinks?: string): Record<string, string>;
  close(): Promise<void>;
}

export async function startServers(version: KafkaVersion = '4.1'): Promise<Servers> {
  const releasers = new Releasers();
  try {
    const postgres = await startPostgres({ own: true });
    releasers.push('Postgres', () => postgres.stop());
    const kafka = await startKafka({ own: true, version });
    releasers.push('Kafka', () => kafka.stop());
    const dir = mkdtempSync(join(tmpdir(), 'tc-drill-'));
    releasers.push('data directories', () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
    const [logUrl, callsUrl, mirrorUrl] = [
      await postgres.createDatabase(),
      await postgres.createDatabase(),
      await postgres.createDatabase(),
    ];
    const topicPrefix = 'drill.';
    const settings = (part: string, sinks = 'sqlite,supabase') => ({
      TC_POSTGRES_URL: logUrl,
      TC_DATA_DIR: join(dir, part),
      TC_CALLS_URL: callsUrl,
      // What is stored is compared with the rows.
      TC_REDACT_MODE: 'off',
      TC_SUPABASE_DATABASE_URL: mirrorUrl,
      TC_SINKS: sinks,
      TC_TOPICS_TRANSPORT: 'kafka',
      TC_KAFKA_BROKERS: kafka.brokers.join(','),
      TC_KAFKA_TOPIC_PREFIX: topicPrefix,
      TC_KAFKA_PARTITIONS: '6',
      // The least that brokers allow: a killed member's partitions lie still for this long.
      TC_KAFKA_SESSION_TIMEOUT: '6s',
      TC_KAFKA_HANDOVER_TIMEOUT: '10s',
      TC_COMPILE_TIMEOUT: '10s',
      TC_KAFKA_SEND_TIMEOUT: '8s',
      TC_SESSION_IDLE_TIMEOUT: '2s',
    });
    await succeed(['init', '--create-table'], settings('capture'));
    await succeed(['migrate'], settings('mirror'));
    const close = async () => {
      await releasers.unwind();
    };
    return { kafka, logUrl, mirrorUrl, topicPrefix, settings, close };
  } catch (error) {
    await releasers.unwind();
    throw error;
  }
}

async function succeed(args: string[], env: Record<string, string>): Promise<void> {
  const { code, stderr } = await runCli(args, { env });
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`);
}
