/** /metrics, /status, /healthz and /readyz, for Prometheus and for whoever keeps the process running. */
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import type { Registry } from 'prom-client';
import { exitCodes, messageOf, type OperatorError, stop } from './errors.ts';

export interface HttpOptions {
  host: string;
  /** 0 lets the system choose. */
  port: number;
  registry: Registry;
  /** Brings up to date what is read, not counted. */
  beforeScrape: () => Promise<void>;
  /** Null when everything that is needed works; else what does not, in a sentence. */
  notReady: () => string | null;
  /** How this process stands, as JSON. */
  status: () => object;
}

/** Whoever listens on every address is asked on this machine's own. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

export interface HttpServer {
  url: string;
  close(): Promise<void>;
}

/** @throws OperatorError `port_taken` where somebody listens there, `port_unusable` where it is not ours to listen at. */
export async function serveHttp({
  host,
  port,
  registry,
  beforeScrape,
  notReady,
  status,
}: HttpOptions): Promise<HttpServer> {
  const app = new Hono();
  app.get('/metrics', async (c) => {
    await beforeScrape();
    return c.text(await registry.metrics(), 200, { 'content-type': registry.contentType });
  });
  app.get('/status', (c) => c.json(status()));
  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', (c) => {
    const reason = notReady();
    return reason === null ? c.text('ok\n') : c.text(`${reason}\n`, 503);
  });
  return await new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port }, (info: AddressInfo) => {
      resolve({
        url: `http://${reachable(host)}:${info.port}`,
        close: () => new Promise<void>((done) => server.close(() => done())),
      });
    });
    server.once('error', (error) => reject(unlistenable(error, host, port)));
  });
}

function unlistenable(error: NodeJS.ErrnoException, host: string, port: number): OperatorError {
  const [code, remedy] = error.code === 'EADDRINUSE' ? ['port_taken', otherPort] : ['port_unusable', otherAddress];
  return stop(code, `can't listen on ${host}:${port}: ${messageOf(error)}: ${remedy}`, {
    exitCode: exitCodes.configuration,
    cause: error,
  });
}

export const otherPort = 'set metrics.port (TC_METRICS_PORT) to another port, or to 0 for none';
export const otherAddress =
  'set metrics.host (TC_METRICS_HOST) to an address of this host, and metrics.port to a port that may be used here';
