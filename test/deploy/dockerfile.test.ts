import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { exitCodes } from '../../src/errors.ts';
import { serveHttp } from '../../src/http.ts';
import { readText, repository } from './deployed.ts';
import { all, dockerfile, environmentOf, finalStage } from './dockerfile.ts';

const stages = dockerfile();
const final = finalStage(stages);
const stageNames = stages.map(({ name }) => name);

test('every stage starts from one pinned image of Node 24, or from another stage', () => {
  const images = stages.map(({ base }) => base).filter((base) => !stageNames.includes(base));
  expect(new Set(images).size).toBe(1);
  expect(images[0]).toMatch(/^node:24\.\d+\.\d+-bookworm-slim$/);
});

test('what is copied is there, and reaches the engine', () => {
  const allowed = readFileSync(join(repository, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const sources = stages
    .flatMap((stage) => all(stage, 'COPY'))
    .filter((copy) => !copy.startsWith('--from='))
    .flatMap((copy) => copy.split(' ').slice(0, -1));
  expect(sources.length).toBeGreaterThan(0);
  for (const source of sources) {
    expect(existsSync(join(repository, source)), source).toBe(true);
    expect(allowed).toContain(source);
  }
  expect(new Set(allowed)).toEqual(new Set(sources));
});

test('its npm scripts are scripts of the package', () => {
  const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { scripts: object };
  const called = [...readText('Dockerfile').matchAll(/npm run (\S+)/g)].map(([, script]) => script);
  expect(called.length).toBeGreaterThan(0);
  for (const script of called) expect(Object.keys(scripts)).toContain(script);
});

test('the image runs without rights, keeps its data in a volume and stops at SIGTERM', () => {
  expect(all(final, 'USER')).toEqual(['10001:10001']);
  expect(all(final, 'VOLUME')).toEqual([environmentOf(stages).TC_DATA_DIR]);
  expect(all(final, 'STOPSIGNAL')).toEqual(['SIGTERM']);
  expect(all(final, 'EXPOSE')).toEqual([environmentOf(stages).TC_METRICS_PORT]);
});

test('its label says the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
  expect(all(final, 'LABEL')[0]).toContain(`org.opencontainers.image.version="${version}"`);
});

test('its health check passes while the program answers, and fails once it does not', async () => {
  const check = all(final, 'HEALTHCHECK')[0] ?? '';
  const [file = '', ...args] = JSON.parse(check.slice(check.indexOf('['))) as string[];
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    registry: new Registry(),
    beforeScrape: async () => {},
    notReady: () => 'not connected to Postgres',
    status: () => ({}),
  });
  const env = { ...process.env, TC_METRICS_PORT: new URL(server.url).port };
  const run = async () => {
    try {
      await promisify(execFile)(file, args, { env });
      return exitCodes.ok;
    } catch (error) {
      return (error as { code: number }).code;
    }
  };
  try {
    expect(await run()).toBe(0);
  } finally {
    await server.close();
  }
  expect(await run()).toBe(1);
});
