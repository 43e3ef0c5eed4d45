import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { examineMetricsPort } from '../../src/doctor/metrics-port.ts';
import { registerInstance } from '../../src/instance/register.ts';
import { createMetrics } from '../../src/metrics/registry.ts';
import { freePort } from '../support/free-port.ts';
import { checksOf, forever, load, named } from './looking.ts';

const look = async (env: Record<string, string>) =>
  named(await checksOf((list) => examineMetricsPort(list, load(env), forever)), 'metrics_port');

async function listen(body: string): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((_request, response) => void response.end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, close };
}

it('a port that is free will do, and is left free', async () => {
  const port = String(await freePort());
  expect((await look({ TC_METRICS_PORT: port })).outcome).toBe('ok');
  expect((await look({ TC_METRICS_PORT: port })).outcome).toBe('ok');
  expect((await look({ TC_METRICS_PORT: '0' })).sentence).toContain('no metrics are served');
});

it('a port that somebody else has is a failure, that of the run of this data directory is not', async () => {
  const stranger = await listen('hello');
  const taken = await look({ TC_METRICS_PORT: String(stranger.port) });
  await stranger.close();
  expect(taken).toMatchObject({ outcome: 'failure', remedy: expect.stringContaining('TC_METRICS_PORT') });

  const metrics = await createMetrics('0.0.0').registry.metrics();
  const ours = await listen(metrics);
  const dataDir = mkdtempSync(join(tmpdir(), 'tc-port-'));
  const env = { TC_METRICS_PORT: String(ours.port), TC_DATA_DIR: dataDir };
  const ofAnother = await look(env);
  const registered = registerInstance(dataDir, { pid: process.pid, url: `http://127.0.0.1:${ours.port}` });
  const served = await look(env);
  registered.release();
  await ours.close();
  rmSync(dataDir, { recursive: true });
  expect(ofAnother).toMatchObject({ outcome: 'failure', remedy: expect.stringContaining('TC_METRICS_PORT') });
  expect(served).toMatchObject({ outcome: 'ok', sentence: expect.stringContaining('the run of this data directory') });
});

it('an address that is not of this host is a failure', async () => {
  const check = await look({ TC_METRICS_HOST: '192.0.2.1', TC_METRICS_PORT: String(await freePort()) });
  expect(check).toMatchObject({ outcome: 'failure', remedy: expect.stringContaining('metrics.host') });
});

it('the port that nobody chose may be taken: a run moves to another one', async () => {
  const stranger = await listen('hello');
  const loaded = load({ TC_METRICS_PORT: String(stranger.port) });
  loaded.origins['metrics.port'] = 'default';
  const checks = await checksOf((list) => examineMetricsPort(list, loaded, forever));
  await stranger.close();
  expect(named(checks, 'metrics_port')).toMatchObject({
    outcome: 'warning',
    sentence: expect.stringContaining('a run takes another port'),
  });
});
