import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pause } from '../../src/lifecycle.ts';
import { createLogger } from '../../src/log.ts';
import { openPostgresSink } from '../../src/sinks/supabase/direct.ts';
import { queryOn, type TestPostgres } from '../support/postgres.ts';
import { compiledOf, trajectoryOf, turnOf } from '../support/records.ts';
import { createMirror, startMirrors } from '../support/supabase.ts';
import { clearMirror, dumpMirror } from './mirror-harness.ts';

const never = new AbortController().signal;
const log = createLogger('silent');
const open = (url: string) => openPostgresSink({ url, schema: 'public', log });

let postgres: TestPostgres;
let url: string;
beforeAll(async () => {
  postgres = await startMirrors({ own: true });
  const mirror = await createMirror(postgres);
  await mirror.close();
  url = mirror.databaseUrl;
});
afterAll(() => postgres.stop());
beforeEach(() => clearMirror(url));

describe('the Postgres sink', () => {
  it('opens while its database is away, and asks for its messages again', async () => {
    const sink = await open('postgres://sink:not-a-real-password@127.0.0.1:1/mirror');
    const error = await sink.write(compiledOf(), never).catch((thrown: Error) => thrown);
    await sink.close();
    expect(error).toMatchObject({ kind: 'retry', code: 'sink_unreachable' });
    expect((error as Error).message).toMatch(/sink@127\.0\.0\.1:1\/mirror: .*ECONNREFUSED.*TC_SUPABASE_DATABASE_URL/);
    expect((error as Error).message).not.toContain('not-a-real-password');
  });

  it('goes on after its database was restarted', async () => {
    const sink = await open(url);
    await sink.write(compiledOf(), never);
    await postgres.restart('immediate');
    const later = compiledOf({ trajectory: trajectoryOf({ sessionId: 'later' }) });
    const attempt = () =>
      sink.write(later, never).then(
        () => null,
        (error: unknown) => error,
      );
    const first = await attempt();
    if (first !== null) {
      expect(first).toMatchObject({ kind: 'retry', code: 'sink_unreachable' });
      expect(await attempt()).toBeNull();
    }
    await sink.close();
    expect((await dumpMirror(url)).qa_pairs).toHaveLength(2);
  });

  it.each([
    ['a database that is not there', (to: URL) => (to.pathname = '/nowhere'), 'sink_database', /nowhere/],
    ['a wrong password', (to: URL) => (to.password = 'not-a-real-password'), 'sink_auth', /TC_SUPABASE_DATABASE_URL/],
    ['no URL', (to: URL) => (to.protocol = 'mysql:'), 'sink_url', /supabase\.databaseUrl/],
  ])('stops at %s', async (_, change, code, message) => {
    const to = new URL(url);
    change(to);
    const error = await open(to.href).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ kind: 'stop', code, exitCode: 3, message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain('not-a-real-password');
  });

  it('stops where the tables went away while it ran', async () => {
    const mirror = await createMirror(postgres);
    await mirror.close();
    const sink = await open(mirror.databaseUrl);
    await queryOn(mirror.databaseUrl, 'DROP TABLE compilations');
    await expect(sink.write(compiledOf(), never)).rejects.toMatchObject({ kind: 'stop', code: 'sink_not_migrated' });
    await sink.close();
    expect(await queryOn(mirror.databaseUrl, 'SELECT * FROM trajectories')).toEqual([]);
  });

  it('gives up at once when told to, and leaves nothing of the message', async () => {
    const holder = new pg.Client(url);
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE segments');
    const sink = await open(url);
    const abort = new AbortController();
    const writing = sink.write(compiledOf(), abort.signal);
    writing.catch(() => {});
    const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE '%sink'";
    while ((await queryOn(url, waiting)).length === 0) await pause(10);
    abort.abort(new Error('given up'));
    await expect(writing).rejects.toThrow('given up');
    await sink.close();
    await holder.end();
    expect((await dumpMirror(url)).trajectories).toEqual([]);
    // Well below its own limits for a statement.
  }, 20_000);

  it('asks for the message again where its connection is lost in the middle of a statement, and lives on', async () => {
    const holder = new pg.Client(url);
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE segments');
    const sink = await open(url);
    const writing = sink.write(compiledOf(), never).catch((thrown: unknown) => thrown);
    const waiting =
      "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'trajectory-compiler sink'";
    while ((await queryOn(url, `SELECT 1 ${waiting}`)).length === 0) await pause(10);
    await queryOn(url, `SELECT pg_terminate_backend(pid) ${waiting}`);
    expect(await writing).toMatchObject({ kind: 'retry', code: 'sink_unreachable' });
    await holder.end();
    await sink.write(compiledOf(), never);
    await sink.close();
    expect((await dumpMirror(url)).trajectories).toHaveLength(1);
  });

  it('parks a row that a trigger of the owner refuses, whatever code it raises', async () => {
    await queryOn(
      url,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'not %', new.body USING errcode = '45000'; END $$;
       CREATE TRIGGER refuse BEFORE INSERT ON trajectory_turns FOR EACH ROW WHEN (new.turn = 3) EXECUTE FUNCTION refuse()`,
    );
    const sink = await open(url);
    const error = await sink.write(compiledOf(), never).catch((thrown: Error) => thrown);
    await sink.close();
    await queryOn(url, 'DROP TRIGGER refuse ON trajectory_turns');
    expect(error).toMatchObject({ kind: 'park', code: 'row_refused' });
    expect((error as Error).message).toMatch(/trajectory_turns trajectory_id=\w+, turn=3 \(SQLSTATE 45000\)/);
    expect((await dumpMirror(url)).trajectory_turns).toHaveLength(compiledOf().trajectory.turns.length - 1);
  });

  it('takes a trajectory of several thousand turns, and tells how many of them were new', async () => {
    const turns = Array.from({ length: 6_000 }, (_, n) => turnOf('session-1', n));
    const message = compiledOf({ trajectory: trajectoryOf({ turns }) });
    const sink = await open(url);
    const { written, ...others } = await sink.write(message, never);
    expect(written).toBeGreaterThan(6_000);
    expect(others).toEqual({ unchanged: 0, unknown: 0 });
    expect(await sink.write(message, never)).toEqual({ written: 0, unchanged: written, unknown: 0 });
    await sink.close();
    expect(await queryOn(url, 'SELECT count(*)::int AS n FROM trajectory_turns')).toEqual([{ n: 6_000 }]);
  });
});
