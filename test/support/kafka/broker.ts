/** One Kafka broker as a process of its own, which dies with this one. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { pause } from '../../../src/lifecycle.ts';
import { freePort } from '../free-port.ts';
import { type BrokerPorts, type BrokerSecurity, brokerProperties } from './properties.ts';

export interface BrokerOptions extends BrokerSecurity {
  /** Folder of the jars. */
  jars: string;
  /** Server settings that replace or join ours. */
  config: Record<string, string>;
  /** The port that clients are told, where a proxy stands in front of the broker. */
  advertisedPort?: number;
}

export interface Broker {
  ports: BrokerPorts;
  start(): Promise<void>;
  /** Sends a signal, and waits for the end where it is one that ends. */
  signal(name: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Ends the process and removes its data. */
  remove(): Promise<void>;
}

const run = promisify(execFile);
const startTimeoutMs = 90_000;
const javaFlags = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
const logFlags = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.showDateTime=true'];

/**
 * Runs the server until it ends. When standard input closes, which happens however this process dies, it is killed (it
 * may be stopped by a signal, and then hears no other) and its folder removed. $1 is the folder.
 */
const keeper = `folder=$1; shift; exec 3<&0
"$@" 3<&- </dev/null & server=$!
echo $server > "$folder/pid"
{ read -r _ <&3; kill -KILL $server; rm -rf "$folder"; } & watcher=$!
wait $server
kill $watcher 2>/dev/null`;

export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), 'tc-kafka-'));
  const state: { ports: BrokerPorts; child?: ChildProcess; formatted: boolean } = {
    ports: await freePorts(options.advertisedPort),
    formatted: false,
  };

  const startOnce = async (): Promise<boolean> => {
    const properties = join(folder, 'server.properties');
    await writeFile(properties, brokerProperties(folder, state.ports, options, options.config));
    if (!state.formatted) await format(options, folder, properties);
    state.formatted = true;
    await rm(join(folder, 'pid'), { force: true });
    const child = await launch(options.jars, folder, properties);
    state.child = child;
    return await isReady(child, `127.0.0.1:${state.ports.internal}`);
  };

  const signal: Broker['signal'] = async (name) => {
    const child = state.child;
    if (child === undefined || hasEnded(child)) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    process.kill(Number(await readFile(join(folder, 'pid'), 'utf8')), name);
    if (name === 'SIGSTOP' || name === 'SIGCONT') return;
    child.ref();
    await ended;
    child.stdin?.destroy();
  };

  return {
    get ports() {
      return state.ports;
    },
    start: async () => {
      for (let attempt = 1; !(await startOnce()); attempt++) {
        const log = await readFile(join(folder, 'server.log'), 'utf8').catch(() => '');
        await signal('SIGKILL');
        // Somebody took a free port in between.
        if (attempt < 3 && log.includes('Address already in use')) {
          state.ports = await freePorts(options.advertisedPort);
          continue;
        }
        throw new Error(`the test's Kafka broker did not start: ${log.trim().split('\n').slice(0, 12).join(' | ')}`);
      }
    },
    signal,
    remove: async () => {
      await signal('SIGKILL');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function format({ jars, users = {} }: BrokerOptions, folder: string, properties: string): Promise<void> {
  const scram = Object.entries(users).flatMap(([name, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((kind) => [
      '--add-scram',
      `${kind}=[name=${name},password=${password}]`,
    ]),
  );
  const clusterId = Buffer.from(folder.slice(-16).padStart(16, '0')).toString('base64url');
  const args = ['format', '-t', clusterId, '-c', properties, ...scram];
  await run('java', [...javaFlags, ...logFlags, '-cp', `${jars}/*`, 'kafka.tools.StorageTool', ...args]);
}

async function launch(jars: string, folder: string, properties: string): Promise<ChildProcess> {
  const log = await open(join(folder, 'server.log'), 'w');
  const java = ['java', ...javaFlags, ...logFlags, '-cp', `${jars}/*`, 'kafka.Kafka', properties];
  const child = spawn('/bin/sh', ['-c', keeper, 'keeper', folder, ...java], {
    cwd: folder,
    // A process group of its own keeps Ctrl-C away from a broker that others are still draining into.
    detached: true,
    stdio: ['pipe', log.fd, log.fd],
  });
  child.on('error', () => {});
  child.stdin?.on('error', () => {});
  await log.close();
  child.unref();
  return child;
}

async function isReady(child: ChildProcess, broker: string): Promise<boolean> {
  const client = new Kafka({
    clientId: 'test-start',
    brokers: [broker],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
  });
  const deadline = Date.now() + startTimeoutMs;
  while (!hasEnded(child) && Date.now() < deadline) {
    const admin = client.admin();
    try {
      await admin.connect();
      if ((await admin.describeCluster()).brokers.length > 0) return true;
    } catch {
      // It is still starting.
    } finally {
      await admin.disconnect().catch(() => {});
    }
    await pause(100);
  }
  return false;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function freePorts(advertised?: number): Promise<BrokerPorts> {
  const client = await freePort();
  return { client, advertised: advertised ?? client, internal: await freePort(), controller: await freePort() };
}
