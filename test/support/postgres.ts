/**
 * A real Postgres for tests: the embedded one, another version of it that TC_TEST_POSTGRES_VERSION names, or the server
 * that TC_TEST_POSTGRES_URL names.
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import {
  type EmbeddedOptions,
  type EmbeddedPostgres,
  type StopMode,
  startEmbeddedPostgres,
} from '../../src/postgres/embedded.ts';
import { chosenBinaries } from './postgres-versions.ts';

export interface TestPostgres {
  /** Of a superuser. */
  adminUrl: string;
  version: string;
  /** True where settings could be chosen and the server can be restarted. */
  own: boolean;
  /** Creates an empty database and returns its URL. */
  createDatabase(): Promise<string>;
  restart(mode?: StopMode): Promise<void>;
  stop(): Promise<void>;
}

/** `settings` and `restart` need a server of our own, so either of them, asked for, starts the embedded one. */
export async function startPostgres(options: EmbeddedOptions & { own?: boolean } = {}): Promise<TestPostgres> {
  const given = process.env.TC_TEST_POSTGRES_URL;
  const own = given === undefined || options.own === true || options.settings !== undefined;
  const server = own ? await startOwn(options) : undefined;
  const adminUrl = server?.url ?? given ?? '';
  const created: string[] = [];
  return {
    adminUrl,
    version: server?.version ?? (await queryOn(adminUrl, 'SHOW server_version'))[0]?.server_version ?? '',
    own,
    createDatabase: async () => {
      const name = `tc_${randomBytes(5).toString('hex')}`;
      await queryOn(adminUrl, `CREATE DATABASE ${name}`);
      created.push(name);
      const url = new URL(adminUrl);
      url.pathname = `/${name}`;
      return url.href;
    },
    restart: async (mode) => {
      if (server === undefined) throw new Error('a server that TC_TEST_POSTGRES_URL names is not ours to restart');
      await server.restart(mode);
    },
    stop: async () => {
      if (server !== undefined) return server.stop();
      for (const name of created) {
        await queryOn(
          adminUrl,
          `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '${name}' AND NOT active`,
        );
        await queryOn(adminUrl, `DROP DATABASE ${name} WITH (FORCE)`);
      }
    },
  };
}

async function startOwn(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const binaries = await chosenBinaries();
  return await startEmbeddedPostgres(binaries === undefined ? options : { binaries, ...options });
}

/** One statement, or several without parameters, on a connection of its own. */
export async function queryOn(url: string, sql: string, values?: unknown[]): Promise<Record<string, string>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const result = await client.query(sql, values);
    return (Array.isArray(result) ? result.at(-1).rows : result.rows) as Record<string, string>[];
  } finally {
    await client.end();
  }
}
