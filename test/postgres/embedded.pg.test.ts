import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { findBinaries, startEmbeddedPostgres } from '../../src/postgres/embedded.ts';
import { until } from '../support/capture.ts';
import { queryOn } from '../support/postgres.ts';

const run = promisify(execFile);
const script = `
  import { startEmbeddedPostgres } from '${new URL('../../src/postgres/embedded.ts', import.meta.url).href}';
  const server = await startEmbeddedPostgres();
  process.stderr.write('port ' + server.port + '\\n');
  if (process.env.STOP === 'yes') await server.stop(); else setInterval(() => {}, 1000);
`;
const args = ['--import', 'tsx', '--input-type=module', '--eval', script];

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

test('starts twice side by side, keeps data across a restart, stops twice', async () => {
  // The second from programs that only their owner reaches: started by root, the server runs as somebody else.
  const closed = await mkdtemp(join(tmpdir(), 'tc-closed-'));
  const { initdb } = await findBinaries();
  await cp(dirname(dirname(initdb)), closed, { recursive: true, verbatimSymlinks: true });
  const binaries = { initdb: join(closed, 'bin', 'initdb'), postgres: join(closed, 'bin', 'postgres') };
  const [one, two] = await Promise.all([startEmbeddedPostgres(), startEmbeddedPostgres({ binaries })]);
  expect(one.port).not.toBe(two.port);
  expect(one.version).toMatch(/^17\./);
  await queryOn(one.url, 'CREATE TABLE t AS SELECT 1 AS n');
  await one.restart('immediate');
  expect(await queryOn(one.url, 'SELECT n FROM t')).toEqual([{ n: 1 }]);
  await Promise.all([one.stop(), two.stop()]);
  await one.stop();
  await rm(closed, { recursive: true });
  expect(await isFree(one.port)).toBe(true);
});

test('says nothing on stdout, and lets its process end by itself', async () => {
  const { stdout } = await run(process.execPath, args, { env: { ...process.env, STOP: 'yes' } });
  expect(stdout).toBe('');
});

test('ends with a process that is killed', async () => {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  await until('the server', () => /port \d+/.test(said));
  const port = Number(/port (\d+)/.exec(said)?.[1]);
  expect(await isFree(port)).toBe(false);
  child.kill('SIGKILL');
  await until('the server to be gone', () => isFree(port));
});
