/** Whether /metrics can be served where the settings say. */
import { createServer } from 'node:net';
import { type Check, type Checklist, failure, ok, warning } from '../checks.ts';
import type { LoadedConfig } from '../config.ts';
import { messageOf } from '../errors.ts';
import { otherAddress, otherPort } from '../http.ts';
import { instancesOf } from '../instance/register.ts';

const answerWithinMs = 3_000;

export async function examineMetricsPort(list: Checklist, loaded: LoadedConfig, signal: AbortSignal): Promise<void> {
  list.add(await portCheck(loaded, signal));
}

async function portCheck({ config, origins }: LoadedConfig, signal: AbortSignal): Promise<Check> {
  const { 'metrics.host': host, 'metrics.port': port } = config;
  const name = 'metrics_port';
  if (port === 0) return ok(name, 'metrics.port is 0: no metrics are served');
  const fault = await listen(host, port);
  const at = `${host}:${port}`;
  if (fault === null) return ok(name, `${at} is free for /metrics`);
  if (fault.code === 'EADDRINUSE' && isServedHere(config.dataDir, port) && (await isOurs(host, port, signal))) {
    return ok(name, `the run of this data directory serves /metrics at ${at}`);
  }
  const sentence = `can't listen on ${at}: ${fault.message}`;
  if (fault.code !== 'EADDRINUSE') return failure(name, sentence, otherAddress);
  if (origins['metrics.port'] !== 'default') return failure(name, sentence, otherPort);
  // A port that somebody chose must work; from the default one a run moves away.
  return warning(name, `${sentence}; a run takes another port, whichever is free, and says so`, otherPort);
}

/** A run of another data directory keeps one of this from starting. */
function isServedHere(dataDir: string, port: number): boolean {
  return instancesOf(dataDir).some(({ url }) => url !== null && Number(new URL(url).port) === port);
}

function listen(host: string, port: number): Promise<{ code: string | undefined; message: string } | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve({ code: error.code, message: messageOf(error) }));
    server.listen(port, host, () => server.close(() => resolve(null)));
  });
}

async function isOurs(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]);
  const named = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  try {
    const response = await fetch(`http://${named.includes(':') ? `[${named}]` : named}:${port}/metrics`, {
      signal: within,
    });
    return (await response.text()).includes('tc_build_info');
  } catch {
    return false;
  }
}
