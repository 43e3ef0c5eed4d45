import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCallStore } from '../../src/compile/calls.ts';
import { examineDataDir, fileSystemOf, roomCheck } from '../../src/doctor/data-directory.ts';
import { createLogger } from '../../src/log.ts';
import { openSqliteSink } from '../../src/sinks/sqlite.ts';
import { asBytes } from '../../src/topic/codec.ts';
import { openEmbeddedTopic } from '../../src/topic/embedded.ts';
import { checksOf, faults, load, named } from './looking.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const look = (env: Record<string, string> = {}) => {
  const { config } = load({ TC_DATA_DIR: dir, ...env });
  return checksOf((list) => examineDataDir(list, config));
};

it('files that are there are looked through, and nothing is left beside them', async () => {
  await openSqliteSink({ path: join(dir, 'qa_pairs.sqlite'), log: createLogger('silent') }).close();
  await openCallStore(join(dir, 'calls.sqlite')).close();
  const before = readdirSync(dir).sort();
  const checks = await look();
  expect(named(checks, 'file_dataset').sentence).toMatch(/of this version, and sound$/);
  expect(named(checks, 'file_calls').outcome).toBe('ok');
  expect(checks.filter(({ outcome }) => outcome === 'failure')).toEqual([]);
  expect(readdirSync(dir).sort()).toEqual(before);
});

it('a folder that is not there yet is not made', async () => {
  const checks = await look({ TC_DATA_DIR: join(dir, 'a', 'b') });
  expect(named(checks, 'data_dir').outcome).toBe('ok');
  expect(named(checks, 'journal').sentence).toContain('the first run makes it');
  expect(readdirSync(dir)).toEqual([]);
});

it('a file that is none of SQLite, a damaged one and one of a newer version are failures', async () => {
  writeFileSync(join(dir, 'budget.sqlite'), 'x'.repeat(5000));
  const calls = join(dir, 'calls.sqlite');
  await openCallStore(calls).close();
  const dataset = new Database(join(dir, 'qa_pairs.sqlite'));
  dataset.pragma('user_version = 99');
  dataset.close();
  const handle = openSync(calls, 'r+');
  writeSync(handle, Buffer.alloc(4096, 0xff), 0, 4096, 4096);
  closeSync(handle);
  const checks = await look();
  const said = checks
    .filter(({ outcome }) => outcome === 'failure')
    .map(({ name, sentence }) => `${name}: ${sentence}`);
  expect(said).toHaveLength(3);
  expect(said.join('\n')).toMatch(/^file_corrupt: .*budget\.sqlite/m);
  expect(said.join('\n')).toMatch(/^(file_corrupt|file_calls): .*calls\.sqlite/m);
  expect(said.join('\n')).toMatch(/^file_newer: .*schema 99/m);
});

it('a dataset of the published shape is to be taken over, one of another shape is refused', async () => {
  const path = join(dir, 'qa_pairs.sqlite');
  const published =
    'id TEXT, session_id TEXT, agent TEXT, turn_count INT, question TEXT, answer TEXT, supporting_turns TEXT, qa_type TEXT, source_model TEXT, cost_usd REAL, raw_extraction TEXT, created_at TEXT';
  const write = (columns: string) => {
    rmSync(path, { force: true });
    const db = new Database(path);
    db.exec(`CREATE TABLE qa_pairs (${columns}); INSERT INTO qa_pairs DEFAULT VALUES`);
    db.close();
  };
  write(published);
  expect(named(await look(), 'file_dataset').sentence).toContain('brought up to date by the next run');
  write(`${published}, mood TEXT`);
  const foreign = named(await look(), 'dataset_foreign');
  expect(foreign).toMatchObject({ outcome: 'failure' });
  expect(foreign.sentence).toContain(path);
  expect(foreign.sentence).toContain('mood');
});

const holder = `
  const Database = require('better-sqlite3');
  const db = new Database(process.argv[1], { timeout: 0 });
  db.exec('BEGIN EXCLUSIVE');
  process.stdout.write('held');
  setInterval(() => {}, 1000);
`;

it('a capture that runs here is named, and its lock is left to it', async () => {
  const child = spawn(process.execPath, ['-e', holder, join(dir, 'capture.lock')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    const held = named(await look(), 'capture_lock');
    expect(held.outcome).toBe('ok');
    expect(held.sentence).toContain('a capture runs here');
    if (process.platform === 'linux') expect(held.sentence).toContain(`process ${child.pid}`);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
  expect(named(await look(), 'capture_lock').sentence).toBe('no capture runs here');
});

it('a worker without the journal of a capture is warned, unless Kafka carries the bodies', async () => {
  expect(named(await look({ TC_ROLES: 'compile' }), 'journal')).toMatchObject({
    outcome: 'warning',
    remedy: expect.stringContaining('topics.transport to kafka'),
  });
  const kafka = { TC_TOPICS_TRANSPORT: 'kafka', TC_KAFKA_BROKERS: '127.0.0.1:9' };
  expect(named(await look({ TC_ROLES: 'compile', ...kafka }), 'journal').outcome).toBe('ok');
});

it('messages that the embedded topics still hold keep a capture from starting on Kafka', async () => {
  const topic = openEmbeddedTopic<Uint8Array>({
    ...{ path: join(dir, 'topics.sqlite'), name: 'trajectories', codec: asBytes, groups: ['compile'] },
    log: createLogger('silent'),
  });
  await topic.publish({ id: 'a', key: 'k', value: Buffer.from('x') });
  await topic.close();
  const kafka = { TC_TOPICS_TRANSPORT: 'kafka', TC_KAFKA_BROKERS: '127.0.0.1:9' };
  expect(named(await look(kafka), 'topics_unfinished')).toMatchObject({
    outcome: 'failure',
    sentence: expect.stringContaining('still holds 1 messages'),
    remedy: expect.stringContaining('run --role compile,sink --until-idle'),
  });
  expect(faults(await look())).toEqual([]);
});

it('a key of the digests that is too short is a failure', async () => {
  expect(faults(await look({ TC_CAPTURE_DIGEST_KEY: 'short' }))).toContain('failure digest_key_too_short');
});

it('a folder that is a file is a failure', async () => {
  writeFileSync(join(dir, 'plain'), '');
  mkdirSync(join(dir, 'closed'));
  expect(faults(await look({ TC_DATA_DIR: join(dir, 'plain') }))).toContain('failure data_dir');
});

it.each([
  [0x6969, 'warning', /NFS/],
  [0xfe534d42, 'warning', /SMB/],
  // As statfs gives it where the number is signed.
  [0xff534d42 | 0, 'warning', /CIFS/],
  [0x01021994, 'warning', /a restart empties/],
  [0x794c7630, 'warning', /container/],
  [0xef53, 'ok', /of this machine/],
])('a file system of type %i is a matter of %s', (type, outcome, sentence) => {
  const check = fileSystemOf(type);
  expect(check.outcome).toBe(outcome);
  expect(check.sentence).toMatch(sentence);
});

const day = 86_400_000;
const gib = 2 ** 30;
it.each([
  ['there is a lot', { freeBytes: 50 * gib, usedBytes: gib, ageMs: 10 * day }, 'ok'],
  ['little is left', { freeBytes: gib / 2, usedBytes: 0, ageMs: Number.NEGATIVE_INFINITY }, 'warning'],
  ['it lasts for few days', { freeBytes: 20 * gib, usedBytes: 40 * gib, ageMs: 10 * day }, 'warning'],
  ['the growth of an hour is no measure', { freeBytes: 20 * gib, usedBytes: 40 * gib, ageMs: day / 24 }, 'ok'],
])('of room it is told that %s', (_what, room, outcome) => {
  expect(roomCheck(room)).toMatchObject({ name: 'disk', outcome });
});
