/** From settings to the plain options that each stage takes. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { exitCodes, messageOf, stop } from './errors.ts';
import type { Logger } from './log.ts';
import type { ColumnSettings, TableSettings } from './postgres/audit-table.ts';
import type { Turn } from './records.ts';
import { lockDataDir } from './sessionizer/lock.ts';
import type { SessionRules } from './sessionizer/part.ts';
import type { ColumnTest } from './settings.ts';
import type { Sink } from './sinks/sink.ts';
import { openSqliteSink } from './sinks/sqlite.ts';
import { openPostgresMirror } from './sinks/supabase/direct.ts';
import { type Mirror, sinkOver } from './sinks/supabase/mirror.ts';
import { openSupabaseMirror } from './sinks/supabase/rest.ts';
import { shardName } from './stream/shard.ts';

/** Everything that lies in a data directory. */
export function filesOf(config: Config) {
  const at = (name: string) => join(config.dataDir, name);
  return {
    journal: at('journal.sqlite'),
    topics: at('topics.sqlite'),
    calls: at('calls.sqlite'),
    placeholders: at('placeholders.sqlite'),
    budget: at('budget.sqlite'),
    coverage: at('coverage.sqlite'),
    dataset: at('qa_pairs.sqlite'),
    requests: at('requests.sqlite'),
    digestKey: at('digest.key'),
    redactKey: at('redact.key'),
  };
}

/** Removes everything in it. @throws OperatorError `data_dir_locked` while a capture runs in it: nothing is removed then. */
export function clearDataDir(config: Config): void {
  const lock = lockDataDir(config.dataDir);
  try {
    for (const file of Object.values(filesOf(config))) {
      for (const ending of ['', '-wal', '-shm']) rmSync(`${file}${ending}`, { force: true });
    }
  } finally {
    lock.release();
  }
}

/** @throws OperatorError `no_url` where `postgres.url` is not set. */
export function urlOf(config: Config): string {
  const url = config['postgres.url'];
  if (url !== null) return url;
  throw stop(
    'no_url',
    'postgres.url is not set: give the connection string of the database that holds the audit log, as TC_POSTGRES_URL, --postgres-url or in trajectory-compiler.yaml (extract and compile can do with supabase.url and supabase.key instead)',
    { exitCode: exitCodes.configuration },
  );
}

export function tableSettings(config: Config): TableSettings {
  return { table: config['postgres.table'], columns: columnsOf(config), exclude: config['capture.exclude'] };
}

function columnsOf(config: Config): ColumnSettings {
  return {
    sessionId: config['columns.sessionId'],
    agent: config['columns.agent'],
    tool: config['columns.tool'],
    arguments: config['columns.arguments'],
    response: config['columns.response'],
    cost: config['columns.cost'],
    duration: config['columns.duration'],
    time: config['columns.time'],
    key: config['columns.key'],
    metadata: config['columns.metadata'],
  };
}

/** Each shard has a slot and a publication of its own, named after those of the settings. */
export function captureSettings(config: Config) {
  const shard = config['capture.shard'];
  return {
    url: urlOf(config),
    ...tableSettings(config),
    slot: shardName(config['postgres.slot'], shard, 'postgres.slot'),
    publication: shardName(config['postgres.publication'], shard, 'postgres.publication'),
    shard: shard ?? undefined,
    failover: config['postgres.failoverSlot'] === 'on',
  };
}

export function sessionRules(config: Config): SessionRules {
  const micros = (ms: number) => ms * 1000;
  const marker = config['session.endMarker'];
  return {
    idleTimeout: micros(config['session.idleTimeout']),
    endMarker: marker === null ? null : endMarkerOf(marker, config),
    endGrace: micros(config['session.endGrace']),
    maxTurns: config['session.maxTurns'],
    maxBytes: config['session.maxBytes'],
    maxAge: micros(config['session.maxAge']),
    minTurns: config['session.minTurns'],
    retain: micros(config['session.retain']),
  };
}

/** A turn knows its columns by role, further ones by name. */
function endMarkerOf({ column, equals }: ColumnTest, config: Config): (turn: Turn) => boolean {
  const roles: [name: string, read: (turn: Turn) => string | null][] = [
    [config['columns.tool'], (turn) => turn.tool],
    [config['columns.agent'], (turn) => turn.agent],
    [config['columns.arguments'], (turn) => turn.arguments],
    [config['columns.response'], (turn) => turn.response],
  ];
  const role = roles.find(([name]) => name === column);
  if (role !== undefined) return (turn) => role[1](turn) === equals;
  if (config['columns.metadata'].includes(column)) return (turn) => turn.metadata?.[column] === equals;
  throw stop(
    'bad_settings',
    `session.endMarker.column ${column} is not among the columns that are read: use ${roles.map(([name]) => name).join(', ')}, or add it to columns.metadata`,
    { exitCode: exitCodes.configuration },
  );
}

/** Every sink of the settings. Whoever calls closes them. */
export async function openSinks(config: Config, log: Logger): Promise<Sink[]> {
  const opened: Sink[] = [];
  try {
    for (const name of new Set(config.sinks)) opened.push(await openSink(name, config, log));
    return opened;
  } catch (error) {
    for (const sink of opened) await sink.close();
    throw error;
  }
}

async function openSink(name: Config['sinks'][number], config: Config, log: Logger): Promise<Sink> {
  return name === 'sqlite'
    ? openSqliteSink({ path: filesOf(config).dataset, log })
    : sinkOver(await openMirror(config, log), log);
}

/**
 * Directly where a connection string is given, otherwise over PostgREST.
 *
 * @throws OperatorError `no_mirror` without either, and as the two ways do.
 */
export async function openMirror(config: Config, log: Logger): Promise<Mirror> {
  const { 'supabase.databaseUrl': databaseUrl, 'supabase.url': url, 'supabase.key': key } = config;
  const schema = config['supabase.schema'];
  if (databaseUrl !== null) return await openPostgresMirror({ url: databaseUrl, schema, log });
  if (url !== null && key !== null) return openSupabaseMirror({ url, key, schema, log });
  throw stop(
    'no_mirror',
    'the sink supabase needs supabase.url and supabase.key (SUPABASE_URL and SUPABASE_SECRET_KEY, or TC_SUPABASE_URL and TC_SUPABASE_KEY), or supabase.databaseUrl for a direct connection',
    { exitCode: exitCodes.configuration },
  );
}

/** How the Kafka cluster is reached. @throws OperatorError `bad_settings` where a certificate can't be read. */
export function kafkaConnection(config: Config) {
  const pem = (name: 'kafka.tlsCa' | 'kafka.tlsCert' | 'kafka.tlsKey') => {
    const path = config[name];
    return path === null ? undefined : readText(name, path);
  };
  const [ca, cert, key] = [pem('kafka.tlsCa'), pem('kafka.tlsCert'), pem('kafka.tlsKey')];
  const mechanism = config['kafka.saslMechanism'];
  return {
    brokers: config['kafka.brokers'],
    clientId: config['kafka.clientId'],
    tls:
      config['kafka.tls'] === 'off'
        ? null
        : {
            ...(ca === undefined ? {} : { ca }),
            ...(cert === undefined ? {} : { cert }),
            ...(key === undefined ? {} : { key }),
          },
    sasl:
      mechanism === 'none'
        ? null
        : {
            mechanism,
            username: config['kafka.saslUsername'] ?? '',
            password: config['kafka.saslPassword'] ?? '',
          },
    sendTimeoutMs: config['kafka.sendTimeout'],
  };
}

function readText(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw stop('bad_settings', `${name}: can't read ${path}: ${messageOf(error)}`, {
      exitCode: exitCodes.configuration,
    });
  }
}

export function kafkaTopicSettings(config: Config) {
  return {
    prefix: config['kafka.topicPrefix'],
    partitions: config['kafka.partitions'],
    replicationFactor: config['kafka.replicationFactor'],
    maxInlineBytes: config['kafka.maxInlineSize'],
    maxMessageBytes: config['kafka.maxMessageSize'],
    retentionMs: config['kafka.retention'],
    compiledRetentionMs: config['kafka.compiledRetention'],
    sessionTimeoutMs: config['kafka.sessionTimeout'],
    handoverTimeoutMs: config['kafka.handoverTimeout'],
  };
}
