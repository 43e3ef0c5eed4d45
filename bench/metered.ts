/**
 * One capture as `run --role capture --once` does it, its metrics counted and served, or none at all: the two that
 * bench/capture/overhead.ts compares. Settings come from the environment. Where the metrics are (or `-`) is said in a line on
 * stdout; it begins when stdin ends, and says in a last line what the pass took, as JSON.
 *
 *   npx tsx bench/metered.ts on|off
 */
import { once } from 'node:events';
import { Registry } from 'prom-client';
import { loadConfig } from '../src/config.ts';
import { serveHttp } from '../src/http.ts';
import { createLogger } from '../src/log.ts';
import { definitions } from '../src/metrics/definitions.ts';
import { refreshGauges } from '../src/metrics/gauges.ts';
import { createMetrics, type Metrics } from '../src/metrics/registry.ts';
import { openPipeline, type Pipeline } from '../src/pipeline.ts';

export interface MeteredPass {
  ms: number;
  /** Of the whole process, threads included, while rows came. */
  cpuMs: number;
  pageFaults: number;
}

const { config } = loadConfig({ env: process.env, flags: {} });
const metered = process.argv[2] === 'on';
const metrics = metered ? createMetrics('bench') : noMetrics();
const never = new AbortController().signal;
const pipeline = await openPipeline({
  config,
  from: 'now',
  until: 'once',
  log: createLogger('warn'),
  metrics,
  drain: never,
  abort: never,
});
const server = metered ? await serve(pipeline) : null;
process.stdout.write(`${server === null ? '-' : `${server.url}/metrics`}\n`);
await once(process.stdin.resume(), 'end');
const faultsBefore = process.resourceUsage().minorPageFault;
const began = performance.now();
const before = process.cpuUsage();
await pipeline.run();
const { user, system } = process.cpuUsage(before);
const pageFaults = process.resourceUsage().minorPageFault - faultsBefore;
const pass: MeteredPass = { ms: performance.now() - began, cpuMs: (user + system) / 1000, pageFaults };
process.stdout.write(`${JSON.stringify(pass)}\n`);
await server?.close();
await pipeline.close();

function serve(running: Pipeline) {
  const logged = { warn: 0, error: 0 };
  return serveHttp({
    host: '127.0.0.1',
    port: 0,
    registry: metrics.registry,
    beforeScrape: () => refreshGauges(metrics, { ...running, dataset: async () => null, logged }),
    notReady: () => running.away(),
    status: () => ({}),
  });
}

function noMetrics(): Metrics {
  const ignore = () => {};
  const deaf = { inc: ignore, dec: ignore, set: ignore, reset: ignore, remove: ignore, observe: ignore };
  const entries = Object.keys(definitions).map((key) => [key, { ...deaf, startTimer: () => ignore }]);
  return { ...Object.fromEntries(entries), registry: new Registry() } as unknown as Metrics;
}
