import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/log.ts';
import { migrateMirror, migrationScript } from '../../src/migrations.ts';
import type { SinkMessage } from '../../src/sinks/sink.ts';
import { openPostgresSink } from '../../src/sinks/supabase/direct.ts';
import { mirrorVersion } from '../../src/sinks/supabase/mirror.ts';
import { queryOn, type TestPostgres } from '../support/postgres.ts';
import { compiledOf, pairOf, segmentOf, trajectoryOf, verifiedOf } from '../support/records.ts';
import { createMirror, mirrorConfig, startMirrors } from '../support/supabase.ts';
import { dumpMirror, openSink } from './mirror-harness.ts';

const never = new AbortController().signal;
const log = createLogger('silent');
const deploy = new URL('../../deploy/supabase/', import.meta.url);

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startMirrors();
});
afterAll(() => postgres.stop());

async function write(url: string, schema = 'public', message: SinkMessage = compiledOf()): Promise<void> {
  const sink = await openPostgresSink({ url, schema, log });
  await sink.write(message, never).finally(() => sink.close());
}

/** With everything null that may be. */
function sparse() {
  const trajectory = trajectoryOf({ sessionId: 'sparse', agents: [] });
  const segment = segmentOf(trajectory);
  return compiledOf({ trajectory, segments: [segment], pairs: [pairOf(trajectory, segment, { costUsd: null })] });
}

/** An empty database with Supabase's roles. */
async function emptyDatabase(): Promise<string> {
  const mirror = await createMirror(postgres, { migrated: false });
  await mirror.close();
  return mirror.databaseUrl;
}

const published = `session_id text, agent text, turn_count integer, question text, answer text, supporting_turns jsonb,
  qa_type text, source_model text, cost_usd numeric, raw_extraction jsonb, created_at timestamptz`;

describe('migrating', () => {
  it('applies each migration once, however often and by however many at once', async () => {
    const url = await postgres.createDatabase();
    const config = mirrorConfig(url);
    const results = await Promise.all([migrateMirror(config), migrateMirror(config), migrateMirror(config)]);
    expect(results.flatMap(({ applied }) => applied).sort()).toEqual([
      '001_qa_pairs.sql',
      '002_dataset.sql',
      '003_row_digests.sql',
      '004_verdicts.sql',
    ]);
    expect(await migrateMirror(config)).toEqual({ schema: 'public', applied: [] });
    await write(url);
  });

  it('has as many migrations as the sink asks for', () => {
    const files = readdirSync(new URL('migrations/', deploy)).filter((name) => !name.startsWith('000'));
    expect(files).toHaveLength(mirrorVersion);
  });

  it('takes a schema of its own, whatever the search path of the role', async () => {
    const url = await emptyDatabase();
    await queryOn(url, 'CREATE TABLE segments (leg text); CREATE TABLE sessions (token text)');
    await migrateMirror(mirrorConfig(url, 'Data "sets"'));
    await write(url, 'Data "sets"');
    expect(await queryOn(url, 'SELECT status FROM "Data ""sets""".qa_pairs')).toEqual([{ status: 'active' }]);
    expect(await queryOn(url, 'SELECT * FROM segments')).toEqual([]);
  });

  it('finds everything there where its script was run by other means', async () => {
    const url = await emptyDatabase();
    await queryOn(url, migrationScript('datasets'));
    expect(await migrateMirror(mirrorConfig(url, 'datasets'))).toEqual({ schema: 'datasets', applied: [] });
    await write(url, 'datasets');
  });

  it('stops where a migration was applied with another text', async () => {
    const url = await emptyDatabase();
    await migrateMirror(mirrorConfig(url));
    await queryOn(url, "UPDATE trajectory_compiler_migrations SET sha256 = 'other' WHERE version = 2");
    await expect(migrateMirror(mirrorConfig(url))).rejects.toMatchObject({ kind: 'stop', code: 'migration_changed' });
  });

  it('brings a mirror of before digests up to date; until then neither way of writing takes a row', async () => {
    const mirror = await createMirror(postgres);
    try {
      await queryOn(mirror.databaseUrl, 'ALTER TABLE trajectory_turns DROP COLUMN digest');
      await queryOn(mirror.databaseUrl, 'DELETE FROM trajectory_compiler_migrations WHERE version = 3');
      const refusal = { kind: 'stop', code: 'sink_not_migrated', message: expect.stringContaining('older version') };
      await expect(write(mirror.databaseUrl)).rejects.toMatchObject(refusal);
      const rest = await openSink('rest', mirror);
      await expect(rest.write(compiledOf(), never)).rejects.toMatchObject(refusal);
      const config = mirrorConfig(mirror.databaseUrl);
      expect(await migrateMirror(config)).toEqual({ schema: 'public', applied: ['003_row_digests.sql'] });
      await write(mirror.databaseUrl);
    } finally {
      await mirror.close();
    }
  });

  it('brings a mirror of before verdicts up to date, and takes a verdict on a pair of then', async () => {
    const url = await emptyDatabase();
    const config = mirrorConfig(url);
    await migrateMirror(config);
    await write(url);
    await queryOn(
      url,
      `DROP FUNCTION trajectory_compiler_take_verdict() CASCADE; DROP TABLE verdicts;
       DROP FUNCTION trajectory_compiler_give_verdict();
       ALTER TABLE qa_pairs DROP COLUMN content_hash, DROP COLUMN verdict_version, DROP COLUMN verified_at,
         DROP COLUMN same_family;
       DELETE FROM trajectory_compiler_migrations WHERE version = 4`,
    );
    await expect(write(url)).rejects.toMatchObject({ code: 'sink_not_migrated' });
    expect(await migrateMirror(config)).toEqual({ schema: 'public', applied: ['004_verdicts.sql'] });
    const failed = { status: 'fail' as const, reason: 'stale', version: 'gates/3', at: '2026-03-03T00:00:00.000Z' };
    await write(url, 'public', verifiedOf(compiledOf(), failed));
    await write(url);
    expect((await dumpMirror(url)).qa_pairs).toMatchObject([{ verification: 'fail', verdict_version: 'gates/3' }]);
  });

  it('compares generations byte by byte, whatever the language of the database', async () => {
    const url = await emptyDatabase();
    await migrateMirror(mirrorConfig(url));
    const sql =
      "SELECT table_name, collation_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'generation'";
    const columns = await queryOn(url, sql);
    expect(columns).toHaveLength(8);
    expect(new Set(columns.map(({ collation_name }) => collation_name))).toEqual(new Set(['C']));
  });
});

describe('a qa_pairs that is there already', () => {
  it.each([
    [
      'uuid ids',
      `id uuid PRIMARY KEY DEFAULT gen_random_uuid(), ${published}`,
      "'8c1f6f0e-0d0e-4e58-9a0a-000000000017'",
    ],
    ['ids that count', `id bigserial PRIMARY KEY, ${published}`, '17'],
    ['identities', `id integer GENERATED ALWAYS AS IDENTITY, ${published}`, null],
    ['text ids, unconstrained', `id text, ${published}`, "'pair-17'"],
    [
      'other types, and a column of its owner’s',
      `id varchar(40) PRIMARY KEY, reviewed_by text DEFAULT 'nobody', session_id uuid, agent varchar(20) NOT NULL,
       turn_count text, question varchar(200), answer varchar(200), supporting_turns int[], qa_type varchar(12),
       source_model text, cost_usd double precision, raw_extraction text, created_at timestamp`,
      "'pair-17'",
    ],
    [
      'JSON as text',
      `id text PRIMARY KEY, session_id text, agent text, turn_count bigint, question text, answer text, supporting_turns text,
       qa_type text, source_model text, cost_usd numeric(8, 4) NOT NULL, raw_extraction json, created_at text`,
      "'pair-17'",
    ],
  ])('is taken over in place: %s', async (_, columns, id) => {
    const url = await emptyDatabase();
    const arrays = columns.includes('int[]');
    await queryOn(
      url,
      `CREATE TABLE qa_pairs (${columns});
       INSERT INTO qa_pairs (${id === null ? '' : 'id, '}session_id, agent, turn_count, question, answer, supporting_turns,
         qa_type, source_model, cost_usd, raw_extraction, created_at)
       VALUES (${id === null ? '' : `${id}, `}'8c1f6f0e-0d0e-4e58-9a0a-0000000000ab', 'caller', '30', 'Who rang back?',
         'The clinic', ${arrays ? "'{3,9}'" : "'[3, 9]'"}, 'factoid', 'some-model', 0.002, '{"kept": [1]}',
         '2026-01-01 00:00:00')`,
    );
    await migrateMirror(mirrorConfig(url));
    await write(url);
    await write(url);
    await write(url, 'public', sparse());
    const { qa_pairs } = await dumpMirror(url);
    expect(qa_pairs).toHaveLength(3);
    const old = qa_pairs.find((row) => row.agent === 'caller')!;
    expect(old).toMatchObject({
      session_id: '8c1f6f0e-0d0e-4e58-9a0a-0000000000ab',
      turn_count: 30,
      question: 'Who rang back?',
      answer: 'The clinic',
      supporting_turns: [3, 9],
      qa_type: 'factoid',
      cost_usd: 0.002,
      raw_extraction: { kept: [1] },
      created_at: '2026-01-01T00:00:00.000000Z',
      pair_key: `published:${old.id}`,
      verification: 'unverified',
      status: 'active',
      segment_id: null,
      ...(columns.includes('reviewed_by') ? { reviewed_by: 'nobody' } : {}),
    });
    const ours = qa_pairs.filter((row) => row !== old);
    expect(ours).toMatchObject(Array(2).fill({ status: 'active', verification: 'proved' }));
  });

  it('may be written by others as before', async () => {
    const url = await emptyDatabase();
    await queryOn(url, `CREATE TABLE qa_pairs (id bigserial PRIMARY KEY, ${published})`);
    await migrateMirror(mirrorConfig(url));
    await queryOn(url, "INSERT INTO qa_pairs (question, answer) VALUES ('Who?', 'They')");
    await queryOn(url, "UPDATE qa_pairs SET answer = 'She'");
    const { qa_pairs } = await dumpMirror(url);
    const [{ id, created_at } = {}] = qa_pairs;
    expect(qa_pairs).toMatchObject([{ answer: 'She', pair_key: `published:${id}`, status: 'active' }]);
    expect(created_at).toMatch(/^20/);
  });

  it.each([
    ['lacks a column', `CREATE TABLE qa_pairs (id text, question text)`, /lacks session_id, agent/],
    ['has one of our names', `CREATE TABLE qa_pairs (id text, ${published}, status integer)`, /by the name of status/],
    [
      'has supporting turns that are no JSON',
      `CREATE TABLE qa_pairs (id text, ${published.replace('supporting_turns jsonb', 'supporting_turns text')});
       INSERT INTO qa_pairs (id, supporting_turns) VALUES ('1', 'turns three and nine')`,
      /column supporting_turns of qa_pairs can not become jsonb \(it is text; SQLSTATE 22P02\)/,
    ],
    [
      'is read by a view through a column that has to change',
      `CREATE TABLE qa_pairs (id bigint, ${published}); CREATE VIEW ids AS SELECT id FROM qa_pairs`,
      /column id of qa_pairs can not become text .*0A000/,
    ],
    [
      'asks for a value that we do not have',
      `CREATE TABLE qa_pairs (id text, ${published}, tenant text NOT NULL)`,
      /without a default, and not null, are tenant/,
    ],
    [
      'has an id twice',
      `CREATE TABLE qa_pairs (id text, ${published}); INSERT INTO qa_pairs (id) VALUES ('1'), ('1')`,
      /several rows of qa_pairs have the same id/,
    ],
    ['is a view', `CREATE VIEW qa_pairs AS SELECT 1 AS id`, /qa_pairs is not a table/],
    [
      'lets nobody change a row',
      `CREATE TABLE qa_pairs (id text, ${published}); INSERT INTO qa_pairs (id, answer) VALUES ('1', 'three and nine');
       CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'never change %', old.answer; END $$;
       CREATE TRIGGER refuse BEFORE UPDATE ON qa_pairs FOR EACH ROW EXECUTE FUNCTION refuse()`,
      /002_dataset\.sql.*SQLSTATE P0001.*trigger/,
    ],
    [
      'has a neighbour of one of our names',
      `CREATE TABLE qa_pairs (id text, ${published}); CREATE TABLE segments (leg text)`,
      /"segments" already exists/,
    ],
  ])('is left as it is where it %s', async (_, sql, message) => {
    const url = await emptyDatabase();
    await queryOn(url, sql);
    const shape = () =>
      queryOn(
        url,
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'trajectory_compiler_migrations' ORDER BY 1, 2",
      );
    const before = await shape();
    const error = await migrateMirror(mirrorConfig(url)).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ kind: 'stop', exitCode: 3, message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain('three and nine');
    expect((error as Error).message).toMatch(/nothing was changed/);
    expect(await shape()).toEqual(before);
    expect(await queryOn(url, "SELECT 1 FROM pg_class WHERE relname = 'qa_pairs' AND relrowsecurity")).toEqual([]);
    const opened = openPostgresSink({ url, schema: 'public', log });
    await expect(opened).rejects.toMatchObject({ kind: 'stop', code: 'sink_not_migrated' });
  });
});

describe('who may see and write the dataset', () => {
  const names = 'qa_pairs trajectories trajectory_turns rejections llm_calls compilations segments sessions'.split(' ');

  it.each(['anon', 'authenticated'])('not %s, though it was granted everything by default', async (role) => {
    const url = await emptyDatabase();
    await migrateMirror(mirrorConfig(url));
    await write(url);
    const tables = [...names, 'trajectory_compiler_migrations'];
    const look = (table: string) => queryOn(url, `SET ROLE ${role}; SELECT * FROM ${table}`);
    for (const table of tables) await expect(look(table)).rejects.toMatchObject({ code: '42501' });
    // Granted by mistake, row level security is what is left.
    await queryOn(url, `GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`);
    for (const table of tables) expect(await look(table)).toEqual([]);
  });

  it('the service role everything, in a schema of its own too', async () => {
    const url = await emptyDatabase();
    await migrateMirror(mirrorConfig(url, 'datasets'));
    await write(url, 'datasets');
    for (const table of names) {
      expect(await queryOn(url, `SET ROLE service_role; SELECT * FROM datasets.${table}`)).not.toHaveLength(
        table === 'rejections' || table === 'llm_calls' ? 1 : 0,
      );
    }
  });

  it('whoever a policy of an older qa_pairs lets in, still', async () => {
    const url = await emptyDatabase();
    await queryOn(
      url,
      `CREATE TABLE qa_pairs (id text, ${published}); ALTER TABLE qa_pairs ENABLE ROW LEVEL SECURITY;
       CREATE POLICY readers ON qa_pairs FOR SELECT TO authenticated USING (true);
       INSERT INTO qa_pairs (id) VALUES ('1')`,
    );
    await migrateMirror(mirrorConfig(url));
    expect(await queryOn(url, 'SET ROLE authenticated; SELECT id FROM qa_pairs')).toEqual([{ id: '1' }]);
  });

  it('a role of the sink’s own: it writes, and deletes nothing', async () => {
    const url = await emptyDatabase();
    await migrateMirror(mirrorConfig(url));
    const sql = readFileSync(new URL('role.sql', deploy), 'utf8');
    await queryOn(url, sql.replaceAll(':"schema"', '"public"').replace(':password', "'not-a-real-password'"));
    const own = new URL(url);
    own.username = 'trajectory_compiler_sink';
    own.password = 'not-a-real-password';
    await write(own.href);
    await write(own.href);
    expect((await dumpMirror(url)).qa_pairs).toMatchObject([{ status: 'active' }]);
    await expect(queryOn(own.href, 'DELETE FROM qa_pairs')).rejects.toMatchObject({ code: '42501' });
    const error = await migrateMirror(mirrorConfig(own.href, 'elsewhere')).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ kind: 'stop', code: 'sink_permission', message: expect.stringContaining('owner') });
    expect((error as Error).message).not.toContain('not-a-real-password');
    await queryOn(url, 'DROP OWNED BY trajectory_compiler_sink; DROP ROLE trajectory_compiler_sink');
  });
});
