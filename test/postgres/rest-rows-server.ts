/** A project as Supabase serves it: PostgREST's grammar over the test's own Postgres, with a gateway that asks for a key. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { App } from '@supabase/lite';
import { createPostgresConnection } from '@supabase/lite/postgres';

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
  const connection = createPostgresConnection({ url: databaseUrl });
  const app = new App({ connection, auth: { enabled: false } } as never);
  const scripts: ((response: ServerResponse) => void)[] = [];
  const received: RestServer['received'] = [];
  const answer = getRequestListener((request) => app.fetch(request));
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://127.0.0.1');
    received.push({ url, headers: request.headers });
    const script = scripts.shift();
    if (script !== undefined) return script(response);
    if (request.headers.apikey !== fakeKey) return refuse(response, 401, { message: 'Invalid API key' });
    const limit = Math.min(maxRows, Number(url.searchParams.get('limit') ?? maxRows));
    url.searchParams.set('limit', String(limit));
    request.url = `${url.pathname}${url.search}`;
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
      await (connection as unknown as { close?: () => Promise<void> }).close?.();
    },
  };
}

export function refuse(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
