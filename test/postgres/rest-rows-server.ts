/** A project as Supabase serves it: PostgREST's grammar over the test's own Postgres, with keys as a project has them. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { App } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';
import { queryOn } from '../support/postgres.ts';

export const fakeKey = 'sb_secret_fake_for_tests';

export interface RestServer {
  url: string;
  /** Address and headers of each request. */
  received: { url: URL; headers: IncomingMessage['headers'] }[];
  /** Answers the next requests, one each, in place of the server. */
  play(...scripts: ((response: ServerResponse) => void)[]): void;
  close(): Promise<void>;
}

/** `maxRows`: what a page holds at most, whatever is asked for. */
export async function startRestServer(databaseUrl: string, maxRows = 1_000): Promise<RestServer> {
  await queryOn(databaseUrl, rolesSql);
  const connection = createPostgresConnection({ url: databaseUrl });
  const keys = { publishable_key: 'sb_publishable_fake_for_tests', secret_key: fakeKey };
  const app = new App({ connection, auth: { enabled: false, ...keys } });
  const scripts: ((response: ServerResponse) => void)[] = [];
  const received: RestServer['received'] = [];
  const answer = getRequestListener(async (request) => likePostgrest(await app.fetch(request)));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://127.0.0.1');
    received.push({ url, headers: request.headers });
    const script = scripts.shift();
    if (script !== undefined) return script(response);
    if (request.method === 'GET') {
      const limit = Math.min(maxRows, Number(url.searchParams.get('limit') ?? maxRows));
      url.searchParams.set('limit', String(limit));
      request.url = `${url.pathname}${url.search}`;
    }
    void answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    play: (...more) => void scripts.push(...more),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await connection.close();
    },
  };
}

/** As in a project: what the secret key stands for passes row level security, what the publishable key stands for does not. */
const rolesSql = `
  SELECT pg_advisory_lock(17);
  DO $$ BEGIN
    IF to_regrole('service_role') IS NULL THEN
      CREATE ROLE service_role NOLOGIN BYPASSRLS;
      CREATE ROLE anon NOLOGIN;
      CREATE ROLE authenticated NOLOGIN;
    END IF;
  END $$;
  GRANT ALL ON ALL TABLES IN SCHEMA public TO service_role, anon;`;

/** A value that a check of the table refuses is a 500 here, and a 400 with its SQLSTATE in PostgREST. */
async function likePostgrest(response: Response): Promise<Response> {
  if (response.status !== 500) return response;
  const { message } = (await response.clone().json()) as { message: string };
  return message.includes('violates check constraint')
    ? Response.json({ code: '23514', message }, { status: 400 })
    : response;
}

export function refuse(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
