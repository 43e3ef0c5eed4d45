import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/log.ts';
import { openSqliteSink } from '../../src/sinks/sqlite.ts';
import { compiledOf, verifiedOf } from '../support/records.ts';
import { sinkContract } from './contract.ts';
import { dumpOf, sqliteHarness } from './sqlite-harness.ts';

const log = createLogger('silent');
const never = new AbortController().signal;
sinkContract('the SQLite sink', sqliteHarness);

describe('the file of the SQLite sink', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sink-'));
    path = join(folder, 'data', 'qa_pairs.sqlite');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function write(file = path): Promise<void> {
    const sink = openSqliteSink({ path: file, log });
    await sink.write(compiledOf(), never).finally(() => sink.close());
  }

  it('begins qa_pairs with the published columns', async () => {
    await write();
    const db = new Database(path, { readonly: true });
    const columns = db.prepare("SELECT name FROM pragma_table_info('qa_pairs')").pluck().all() as string[];
    db.close();
    expect(columns.slice(0, 12).join(' ')).toBe(
      'id session_id agent turn_count question answer supporting_turns qa_type source_model cost_usd raw_extraction created_at',
    );
  });

  it('takes a verdict on a pair that was written before there were any', async () => {
    await write();
    const db = new Database(path);
    db.exec('UPDATE qa_pairs SET content_hash = NULL; DELETE FROM verdicts');
    db.close();
    const failed = { status: 'fail' as const, reason: 'stale', version: 'gates/3', at: '2026-03-03T00:00:00.000Z' };
    const sink = openSqliteSink({ path, log });
    await sink.write(verifiedOf(compiledOf(), failed), never).finally(() => sink.close());
    await write();
    expect(dumpOf(path).qa_pairs).toMatchObject([{ verification: 'fail', verdict_version: 'gates/3' }]);
  });

  it.each(['id INTEGER PRIMARY KEY', 'id TEXT PRIMARY KEY', 'id TEXT'])(
    'takes over a file of the published shape (%s), its pairs unverified',
    async (id) => {
      const file = join(folder, 'old.sqlite');
      const db = new Database(file);
      db.exec(`CREATE TABLE qa_pairs (${id}, session_id TEXT, agent TEXT, turn_count INTEGER, question TEXT, answer TEXT,
        supporting_turns TEXT, qa_type TEXT, source_model TEXT, cost_usd REAL, raw_extraction TEXT, created_at TEXT);
        CREATE INDEX old_index ON qa_pairs (session_id);
        CREATE VIEW questions AS SELECT question FROM qa_pairs;
        INSERT INTO qa_pairs VALUES (17, 'early', 'caller', 30, 'Who rang back?', 'The clinic', '[3, 9]', 'factoid',
          'some-model', 0.002, '{}', '2026-01-01T00:00:00Z')`);
      db.close();
      await write(file);
      await write(file);
      const rows = dumpOf(file).qa_pairs;
      expect(rows).toHaveLength(2);
      expect(rows.find(({ session_id }) => session_id === 'early')).toMatchObject({
        id: '17',
        question: 'Who rang back?',
        answer: 'The clinic',
        supporting_turns: [3, 9],
        cost_usd: 0.002,
        created_at: '2026-01-01T00:00:00Z',
        verification: 'unverified',
        status: 'active',
      });
      const after = new Database(file, { readonly: true });
      expect(after.prepare('SELECT count(*) FROM questions').pluck().get()).toBe(2);
      after.close();
    },
  );

  it('refuses a table of another shape and leaves it as it was', () => {
    const file = join(folder, 'other.sqlite');
    const db = new Database(file);
    db.exec("CREATE TABLE qa_pairs (id TEXT, question TEXT, mood TEXT); INSERT INTO qa_pairs VALUES ('1', 'q', 'm')");
    db.close();
    expect(() => openSqliteSink({ path: file, log })).toThrow(/lacks session_id.* has mood besides/);
    const after = new Database(file, { readonly: true });
    expect(after.prepare('SELECT mood FROM qa_pairs').pluck().all()).toEqual(['m']);
    after.close();
  });

  it('says what to do about a file that is none of SQLite, or of a newer version', async () => {
    const broken = join(folder, 'broken.sqlite');
    writeFileSync(broken, 'this is no database, however long it may be '.repeat(100));
    expect(() => openSqliteSink({ path: broken, log })).toThrow(
      expect.objectContaining({ code: 'file_corrupt', kind: 'stop' }),
    );
    await write();
    const db = new Database(path);
    db.pragma('user_version = 99');
    db.close();
    expect(() => openSqliteSink({ path, log })).toThrow(expect.objectContaining({ code: 'file_newer', kind: 'stop' }));
  });

  it('leaves alone what others have set on a pair, though a newer compile replaces it', async () => {
    await write();
    const db = new Database(path);
    db.exec("UPDATE qa_pairs SET status = 'rejected', duplicate_of = 'another'");
    db.close();
    const sink = openSqliteSink({ path, log });
    await sink.write(compiledOf({ compiledAt: '2026-03-09T00:00:00Z' }), never).finally(() => sink.close());
    expect(dumpOf(path).qa_pairs).toMatchObject([{ status: 'rejected', duplicate_of: 'another' }]);
    expect(String(dumpOf(path).qa_pairs[0]!.generation)).toContain('2026-03-09');
  });

  it('writes all of a message or nothing', async () => {
    const sink = openSqliteSink({ path, log });
    const db = new Database(path);
    db.exec("CREATE TRIGGER refuse BEFORE INSERT ON qa_pairs BEGIN SELECT RAISE(ABORT, 'refused'); END");
    db.close();
    await expect(sink.write(compiledOf(), never)).rejects.toMatchObject({ code: 'file_unusable' });
    await sink.close();
    expect(dumpOf(path)).toMatchObject({ qa_pairs: [], trajectories: [], segments: [], sessions: [] });
  });

  it.skipIf(process.platform === 'win32')(
    'says that the disk is full, and has every message whose writing resolved',
    () => {
      // A limit on file size fails writes as a full disk does. The shell ignores the signal that comes with it.
      const script = `
      import { openSqliteSink } from './src/sinks/sqlite.ts';
      import { createLogger } from './src/log.ts';
      import { compiledOf, trajectoryOf } from './test/support/records.ts';
      const sink = openSqliteSink({ path: process.env.FILE, log: createLogger('silent') });
      let written = 0;
      try {
        for (; written < 5000; written++) {
          const trajectory = trajectoryOf({ sessionId: 'session-' + written });
          await sink.write(compiledOf({ trajectory }), new AbortController().signal);
        }
      } catch (error) {
        console.log(JSON.stringify({ written, code: error.code, kind: error.kind, message: error.message }));
      }`;
      const shell = `trap '' XFSZ; ulimit -f 2000; exec "$0" --import tsx --input-type=module -e "$1"`;
      const root = join(import.meta.dirname, '../..');
      const run = spawnSync('sh', ['-c', shell, process.execPath, script], {
        cwd: root,
        env: { ...process.env, FILE: path },
        encoding: 'utf8',
      });
      const { written, ...failure } = JSON.parse(run.stdout) as Record<string, unknown>;
      expect(failure).toMatchObject({ code: 'disk_full', kind: 'stop', message: expect.stringContaining(path) });
      expect(dumpOf(path).trajectories).toHaveLength(written as number);
    },
  );
});
