import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflateSync } from 'node:zlib';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rowsHeld } from '../../src/dataset/held.ts';
import { openDataset } from '../../src/dataset/open.ts';
import { turnAt, turnsOf } from '../../src/dataset/turns.ts';
import { datasetMigrations } from '../../src/dataset-file.ts';
import { createLogger } from '../../src/log.ts';
import type { Compiled } from '../../src/records.ts';
import { rowsOf } from '../../src/sinks/rows.ts';
import { openSqliteSink } from '../../src/sinks/sqlite.ts';
import { openSqlite } from '../../src/sqlite.ts';
import { sorted } from '../sinks/contract.ts';
import { dumpOf } from '../sinks/sqlite-harness.ts';
import { compiledOf, trajectoryOf } from '../support/records.ts';

const log = createLogger('silent');
const never = new AbortController().signal;
const messages = [compiledOf(), compiledOf({ trajectory: trajectoryOf({ sessionId: 'session-2' }) })];
const run = promisify(execFile);

/** A dataset of schema 2, where turns have no digests. */
function writeUndigested(path: string): void {
  const db = openSqlite(path, { what: 'dataset', migrations: datasetMigrations.slice(0, 2) });
  const { trajectories, trajectory_turns } = rowsOf(messages[0]!);
  db.prepare(
    `INSERT INTO trajectories VALUES (@id, @source, @session_id, @part, @agents, @turn_count, @started_at, @ended_at,
       @closed_by, @content_hash, @generation)`,
  ).run(trajectories[0]);
  const turn = db.prepare('INSERT INTO trajectory_turns VALUES (@trajectory_id, @turn, @row_key, @body, @generation)');
  for (const row of trajectory_turns) turn.run({ ...row, body: deflateSync(String(row.body)) });
  db.close();
}

/** A dataset of schema 1, where `trajectories` holds the turns and `trajectory_rows` the keys of their rows. */
function writeOld(path: string, blob = (turns: Compiled['trajectory']['turns']) => deflateSync(JSON.stringify(turns))) {
  const db = openSqlite(path, { what: 'dataset', migrations: datasetMigrations.slice(0, 1) });
  db.exec(
    "INSERT INTO qa_pairs (id, pair_key, question, verification, status) VALUES ('1', '1', 'q', 'pass', 'active')",
  );
  for (const message of messages) {
    const { id, turns } = message.trajectory;
    db.prepare(
      `INSERT INTO trajectories VALUES (@id, @source, @session_id, @part, @agents, @turn_count, @started_at, @ended_at,
         @closed_by, @content_hash, @turns, @generation)`,
    ).run({ ...rowsOf(message).trajectories[0], turns: blob(turns) });
    for (const { rowKey } of turns) db.prepare('INSERT INTO trajectory_rows VALUES (?, ?)').run(rowKey, id);
  }
  db.close();
}

async function writeAll(path: string): Promise<void> {
  const sink = openSqliteSink({ path, log });
  for (const message of messages) await sink.write(message, never);
  await sink.close();
}

describe('a dataset that holds the turns of a trajectory as one', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dataset-'));
    path = join(folder, 'qa_pairs.sqlite');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('holds them by turn once opened, as if they had come so, and nothing else changes', async () => {
    writeOld(path);
    await openSqliteSink({ path, log }).close();
    const fresh = join(folder, 'fresh.sqlite');
    await writeAll(fresh);
    const [migrated, expected] = [sorted(dumpOf(path)), sorted(dumpOf(fresh))];
    expect(migrated.trajectory_turns).toHaveLength(24);
    expect(migrated.trajectory_turns).toEqual(expected.trajectory_turns);
    expect(migrated.trajectories).toEqual(expected.trajectories);
    expect(migrated.qa_pairs).toMatchObject([{ id: '1', question: 'q', verification: 'pass' }]);
    await writeAll(path);
    expect(sorted(dumpOf(path)).trajectory_turns).toEqual(expected.trajectory_turns);
    const db = new Database(path, { readonly: true });
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'trajectory_rows'").all()).toEqual([]);
    db.close();
  });

  it('stays as it was where the turns of one of them are damaged, which is said with its id', () => {
    writeOld(path, (turns) => (turns[0]!.sessionId === 'session-2' ? Buffer.from('no zlib') : deflateSync('[]')));
    const damaged = expect.objectContaining({ kind: 'stop', code: 'file_corrupt' });
    const { id } = messages[1]!.trajectory;
    expect(() => openSqliteSink({ path, log })).toThrow(damaged);
    expect(() => openDataset(path)).toThrow(`turns of trajectory ${id} in dataset ${path} are damaged`);
    const db = new Database(path, { readonly: true });
    expect(db.pragma('user_version', { simple: true })).toBe(1);
    expect(db.prepare('SELECT count(*) FROM trajectory_rows').pluck().get()).toBe(24);
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'trajectory_turns'").all()).toEqual([]);
    db.close();
  });

  it('is brought up to date once by several processes that open it at the same time', async () => {
    writeOld(path);
    const script = `
      import { openDataset } from './src/dataset/open.ts';
      const db = openDataset(process.env.FILE);
      console.log(db.prepare('SELECT count(*) FROM trajectory_turns').pluck().get());`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const options = { cwd: join(import.meta.dirname, '../..'), env: { ...process.env, FILE: path } };
    const readers = await Promise.all([1, 2, 3].map(() => run(process.execPath, args, options)));
    expect(readers.map(({ stdout }) => stdout.trim())).toEqual(['24', '24', '24']);
  });

  it('is read as soon as another process has brought it up to date; until then that is said', () => {
    writeOld(path);
    const other = new Database(path);
    other.exec('BEGIN IMMEDIATE');
    const upgrading = expect.objectContaining({ kind: 'retry', code: 'dataset_upgrading' });
    expect(() => openDataset(path)).toThrow(upgrading);
    other.exec('COMMIT');
    other.close();
    const db = openDataset(path);
    expect(turnsOf(db, messages[0]!.trajectory.id)).toEqual(messages[0]!.trajectory.turns);
    db.close();
  });
});

describe('a dataset without digests', () => {
  it('is read as it is, and has those of a message that comes again with them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dataset-'));
    const path = join(folder, 'qa_pairs.sqlite');
    try {
      writeUndigested(path);
      const { trajectory } = messages[0]!;
      const before = openDataset(path);
      expect(turnsOf(before, trajectory.id)).toEqual(trajectory.turns);
      expect(rowsHeld(before, trajectory.source, [trajectory.turns[0]!.rowKey])).toEqual(
        new Map([[trajectory.turns[0]!.rowKey, [{ trajectoryId: trajectory.id, digest: null }]]]),
      );
      before.close();
      const turns = trajectory.turns.map((turn, index) => ({ ...turn, digest: `0000aaaa:${index}` }));
      const sink = openSqliteSink({ path, log });
      const compiledAt = '2026-03-04T00:00:00.000000Z';
      await sink.write(compiledOf({ trajectory: { ...trajectory, turns }, compiledAt }), never);
      await sink.close();
      const after = openDataset(path);
      expect(turnsOf(after, trajectory.id)).toEqual(turns);
      expect(turnAt(after, trajectory.id, 7)).toEqual(turns[7]);
      after.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
