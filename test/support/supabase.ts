/** Supabase for tests: a real Postgres with Supabase's roles, and a server that speaks PostgREST in front of it. */
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { App } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';
import { loadConfig } from '../../src/config.ts';
import { migrateMirror } from '../../src/migrations.ts';
import { queryOn, startPostgres, type TestPostgres } from './postgres.ts';

export const secretKey = 'sb_secret_not_a_real_key';
export const publishableKey = 'sb_publishable_not_a_real_key';

export interface TestMirror {
  /** Of the database, as its owner. */
  databaseUrl: string;
  /** Of the project; only `fetch` leads there. */
  url: string;
  fetch: typeof fetch;
  /** A real address for other processes, until `close`. */
  listen(): Promise<string>;
  close(): Promise<void>;
}

/** The server for several mirrors. Without fsync where it is ours: what is tested here is no crash of Postgres. */
export async function startMirrors({ own = false } = {}): Promise<TestPostgres> {
  const given = process.env.TC_TEST_POSTGRES_URL !== undefined && !own;
  return await startPostgres(given ? {} : { settings: { fsync: 'off' } });
}

/** A project with a database of its own: empty, or with the dataset's tables. */
export async function createMirror(
  postgres: TestPostgres,
  { schema = 'public', migrated = true }: { schema?: string; migrated?: boolean } = {},
): Promise<TestMirror> {
  const databaseUrl = await postgres.createDatabase();
  await queryOn(databaseUrl, supabaseRoles);
  if (migrated) await migrateMirror(mirrorConfig(databaseUrl, schema));
  const app = new App({
    connection: createPostgresConnection({ url: databaseUrl }),
    auth: { enabled: false, publishable_key: publishableKey, secret_key: secretKey },
    api: { schemas: ['public', schema] },
  });
  const answer = async (request: Request) => asPostgrest(await app.fetch(request));
  // Its first request sets the database up: several at once would do so beside each other, which Postgres refuses.
  await answer(new Request('http://project.test/rest/v1/', { headers: { apikey: secretKey } }));
  const servers: ReturnType<typeof serve>[] = [];
  return {
    databaseUrl,
    url: 'http://project.test',
    fetch: (input, init) => answer(new Request(input, init)),
    listen: () =>
      new Promise((resolve) => {
        const listening = ({ port }: AddressInfo) => resolve(`http://127.0.0.1:${port}`);
        servers.push(serve({ fetch: answer, hostname: '127.0.0.1', port: 0 }, listening));
      }),
    close: async () => {
      for (const server of servers) server.close();
      await app.connection.close();
    },
  };
}

/** A row that a check refuses is a 500 without a SQLSTATE here; PostgREST has 400 and 23514 for it. */
async function asPostgrest(response: Response): Promise<Response> {
  if (response.status !== 500) return response;
  const { message } = (await response.clone().json()) as { message: string };
  if (!message.includes('violates check constraint')) return response;
  return Response.json({ code: '23514', message: message.replace('PostgresError: ', '') }, { status: 400 });
}

export function mirrorConfig(databaseUrl: string, schema = 'public', more: Record<string, string> = {}) {
  const env = { TC_SUPABASE_DATABASE_URL: databaseUrl, TC_SUPABASE_SCHEMA: schema, ...more };
  return loadConfig({ env, flags: {} }).config;
}

/** As a project comes: the roles behind its keys may do everything with new tables of `public`. */
const supabaseRoles = `
  DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN
      CREATE ROLE anon NOLOGIN;
      CREATE ROLE authenticated NOLOGIN;
      CREATE ROLE service_role NOLOGIN BYPASSRLS;
    END IF;
  END $$;
  GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
  ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;`;
