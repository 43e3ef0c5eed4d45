import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { examineMirror } from '../../src/doctor/mirror.ts';
import { queryOn, type TestPostgres } from '../support/postgres.ts';
import { createMirror, secretKey, startMirrors, type TestMirror } from '../support/supabase.ts';
import { checksOf, faults, forever, load, named } from './looking.ts';

let postgres: TestPostgres;
let mirror: TestMirror;
beforeAll(async () => {
  postgres = await startMirrors();
  mirror = await createMirror(postgres);
});
afterAll(async () => {
  await mirror?.close();
  await postgres?.stop();
});

function look(env: Record<string, string>) {
  const { config } = load({ TC_SINKS: 'supabase', ...env });
  return checksOf((list) => examineMirror(list, config, forever));
}

const rowsIn = async (url: string) => Number((await queryOn(url, 'SELECT count(*) AS n FROM qa_pairs'))[0]?.n);

it('without an address there is nothing to look at, and what is missing is said', async () => {
  expect(named(await look({}), 'no_mirror')).toMatchObject({ outcome: 'failure', exitCode: 3 });
});

it('a mirror that is migrated and may be written is all right, and stays empty', async () => {
  const checks = await look({ TC_SUPABASE_DATABASE_URL: mirror.databaseUrl });
  expect(faults(checks)).toEqual([]);
  expect(named(checks, 'sink_migrated').sentence).toContain('schema public');
  expect(named(checks, 'sink_writable').sentence).toContain('may write all');
  expect(await rowsIn(mirror.databaseUrl)).toBe(0);
});

it('a database without the tables is to be migrated', async () => {
  const check = named(await look({ TC_SUPABASE_DATABASE_URL: await postgres.createDatabase() }), 'sink_not_migrated');
  expect(check).toMatchObject({ outcome: 'failure', exitCode: 3 });
  expect(check.sentence).toContain('trajectory-compiler migrate');
});

it('the role that deploy/supabase/role.sql makes may write; without a right or a policy it is told which', async () => {
  const { databaseUrl } = mirror;
  const sql = readFileSync(new URL('../../deploy/supabase/role.sql', import.meta.url), 'utf8')
    .replaceAll(':"schema"', 'public')
    .replace(':password', "'visibly-fake'");
  await queryOn(databaseUrl, sql);
  const url = new URL(databaseUrl);
  [url.username, url.password] = ['trajectory_compiler_sink', 'visibly-fake'];
  const env = { TC_SUPABASE_DATABASE_URL: url.href };
  try {
    expect(faults(await look(env))).toEqual([]);
    await queryOn(databaseUrl, 'REVOKE UPDATE ON segments FROM trajectory_compiler_sink; DROP POLICY sink ON verdicts');
    const check = named(await look(env), 'sink_permission');
    expect(check.sentence).toMatch(/lacks .*UPDATE on segments/);
    expect(check.sentence).toMatch(/INSERT on verdicts/);
    expect(check.sentence).toContain('deploy/supabase/role.sql');
  } finally {
    await queryOn(databaseUrl, 'DROP OWNED BY trajectory_compiler_sink; DROP ROLE trajectory_compiler_sink');
  }
});

it('a server that is away is no fault of the settings; a text that is no address is one', async () => {
  const away = named(
    await look({ TC_SUPABASE_DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/nowhere' }),
    'sink_unreachable',
  );
  expect(away).toMatchObject({ outcome: 'failure', exitCode: 5 });
  expect(away.sentence).not.toContain('hunter2');
  expect(faults(await look({ TC_SUPABASE_DATABASE_URL: 'hunter2' }))).toEqual(['failure sink_url']);
});

it('over PostgREST an upsert of no rows is taken by each table, and none is written', async () => {
  const url = await mirror.listen();
  const checks = await look({ TC_SUPABASE_URL: url, TC_SUPABASE_KEY: secretKey });
  expect(faults(checks)).toEqual([]);
  expect(named(checks, 'sink_writable').sentence).toContain('takes an upsert of no rows');
  expect(JSON.stringify(checks)).not.toContain(secretKey);
  expect(await rowsIn(mirror.databaseUrl)).toBe(0);
});

it('over PostgREST tables that are missing are to be migrated, and a publishable key is refused at once', async () => {
  const empty = await createMirror(postgres, { migrated: false });
  try {
    const env = { TC_SUPABASE_URL: await empty.listen() };
    expect(faults(await look({ ...env, TC_SUPABASE_KEY: secretKey }))).toEqual(['failure sink_not_migrated']);
    expect(faults(await look({ ...env, TC_SUPABASE_KEY: 'sb_publishable_fake' }))).toEqual(['failure sink_key']);
  } finally {
    await empty.close();
  }
});

it('a refusal to write is told with the table, one of the key with its setting, a stranger by its address', async () => {
  const refusing = createServer((request, response) => {
    const wrong = request.headers.apikey === 'sb_secret_wrong';
    const [status, body] =
      request.method === 'GET' && !wrong
        ? [200, '[{"version":4}]']
        : wrong
          ? [401, '{"message":"Invalid API key"}']
          : [403, '{"code":"42501","message":"permission denied for table qa_pairs"}'];
    response.writeHead(status as number, { 'content-type': 'application/json' }).end(body);
  });
  await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(refusing.address() as AddressInfo).port}`;
  try {
    const denied = (await look({ TC_SUPABASE_URL: url, TC_SUPABASE_KEY: secretKey })).at(-1)!;
    expect(denied).toMatchObject({ name: 'sink_auth', outcome: 'failure' });
    expect(denied.sentence).toContain('grant its role what is missing');
    const wrong = (await look({ TC_SUPABASE_URL: url, TC_SUPABASE_KEY: 'sb_secret_wrong' })).at(-1)!;
    expect(wrong.sentence).toContain('TC_SUPABASE_KEY');
    expect(wrong.sentence).not.toContain('sb_secret_wrong');
  } finally {
    refusing.closeAllConnections();
    await new Promise((resolve) => refusing.close(resolve));
  }
  const away = (await look({ TC_SUPABASE_URL: url, TC_SUPABASE_KEY: secretKey })).at(-1)!;
  expect(away).toMatchObject({ name: 'sink_unreachable', exitCode: 5 });
});
