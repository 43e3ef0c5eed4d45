/** The questions of a first set-up, asked about real tables. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { cancelled } from '../../src/init/ask.ts';
import type { Given } from '../../src/init/given-settings.ts';
import { settingsText } from '../../src/init/settings-file.ts';
import { askForPlan } from '../../src/init/wizard.ts';
import { initialise } from '../../src/setup.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { type Answer, scriptedAsk } from './scripted-ask.ts';

let server: TestPostgres;
let dir: string;
beforeAll(async () => {
  server = await startPostgres({ own: true });
  dir = mkdtempSync(join(tmpdir(), 'tc-wizard-'));
});
afterAll(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const ours = `CREATE TABLE agent_events (event_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "conversationId" text,
  agent_name text, "toolName" text, tool_input jsonb, tool_output jsonb, latency_ms int, occurred_at timestamptz, tenant text);
  CREATE TABLE users (id bigint PRIMARY KEY, email text)`;

async function database(sql: string): Promise<string> {
  const url = await server.createDatabase();
  await queryOn(url, sql);
  return url;
}

const file = () => join(mkdtempSync(join(dir, 'f-')), 'trajectory-compiler.yaml');

async function plan(flags: Given, ...script: Answer[]) {
  const ask = scriptedAsk(...script);
  const known = loadConfig({ env: {}, flags, file: '/dev/null' });
  const made = await askForPlan(ask, known, file());
  expect(ask.unasked).toEqual([]);
  return { ...made, config: made.loaded.config, heard: ask.heard };
}

describe('the connection', () => {
  test('is asked for until a server answers, and its password by itself, which is heard of nowhere', async () => {
    const url = await database(ours);
    const bare = new URL(url);
    bare.password = '';
    const { config, loaded, heard } = await plan(
      {},
      [/^Connection string/, 'db.example.com'],
      [/^Connection string/, 'postgres://u@aws-0-eu.pooler.supabase.com:6543/postgres'],
      [/^Connection string/, 'postgres://u@127.0.0.1:1/nowhere'],
      [/^Connection string/, bare.href],
      [/^Password of postgres at 127\.0\.0\.1/, 'not-the-password'],
      [/^Connection string/, bare.href],
      [/^Password of postgres/, new URL(url).password],
    );
    expect(config['postgres.url']).toBe(url);
    const said = heard.join('\n');
    expect(said).toMatch(/is not a URL of the form/);
    expect(said).toMatch(/is a connection pooler/);
    expect(said).toMatch(/ECONNREFUSED/);
    expect(said).toMatch(/password authentication failed/);
    expect(said).toMatch(/PostgreSQL \d+ at 127\.0\.0\.1 answers postgres/);
    expect(said + settingsText(loaded)).not.toContain(new URL(url).password);
    expect(said).not.toContain('not-the-password');
  });

  test('is complained of no more by who stops while it is waited for', async () => {
    const ask = scriptedAsk();
    ask.wait = async (_message, work) => {
      await work.catch(() => {});
      throw cancelled();
    };
    const known = loadConfig({
      env: {},
      flags: { 'postgres.url': 'postgres://u@127.0.0.1:1/nowhere' },
      file: '/dev/null',
    });
    await expect(askForPlan(ask, known, file())).rejects.toMatchObject({ code: 'cancelled' });
    expect(ask.heard).toEqual([]);
  });

  test('that is known already is not asked for', async () => {
    const url = await database(ours);
    const { heard } = await plan({ 'postgres.url': url });
    expect(heard.filter((line) => line.startsWith('Connection'))).toEqual([]);
  });
});

describe('the table', () => {
  test('that looks like an audit log is offered first, its columns guessed, and what is chosen can be created', async () => {
    const url = await database(ours);
    await queryOn(
      url,
      `INSERT INTO agent_events ("conversationId", occurred_at)
       SELECT 'c' || n / 12, now() + n * interval '1 min' + (n / 12) * interval '2 h' FROM generate_series(0, 47) n`,
    );
    const {
      config,
      createTable,
      server: task,
      heard,
    } = await plan(
      { 'postgres.url': url },
      [/ended\?/, /^30m: 4 parts, 4 with at least 10 turns/],
      [/at least\?/, '4'],
      [/And now/, /create it on the server/],
    );
    expect(config).toMatchObject({
      'postgres.table': 'public.agent_events',
      'columns.sessionId': 'conversationId',
      'columns.key': 'event_id',
      'columns.agent': 'agent_name',
      'columns.tool': 'toolName',
      'columns.arguments': 'tool_input',
      'columns.response': 'tool_output',
      'columns.cost': 'cost_usd',
      'columns.duration': 'latency_ms',
      'columns.time': 'occurred_at',
      'session.idleTimeout': 1_800_000,
      'session.minTurns': 4,
    });
    expect([createTable, task]).toEqual([false, 'create']);
    expect(heard.join('\n')).toContain('not read (columns.metadata can add them): tenant');
    expect(heard.filter((line) => line.includes('public.users'))).toEqual([]);
    const { created } = await initialise(config, { createTable });
    expect(created).toEqual(['publication trajectory_compiler', 'slot trajectory_compiler']);
    await queryOn(url, "SELECT pg_drop_replication_slot('trajectory_compiler')");
  });

  test('without a column that looks like a session asks which one it is', async () => {
    const url = await database('CREATE TABLE calls (id int PRIMARY KEY, tool text, input json, "belongs to" uuid)');
    const { config, heard } = await plan(
      { 'postgres.url': url },
      [/Column of the agent's session/, 'belongs to'],
      [/read from which column/, /change its response/],
      [/Column of its response/, 'input'],
      [/read from which column/, /change the tool/],
      [/Column of the tool/, 'none'],
    );
    expect(heard).toContain("no column of public.calls looks like the agent's session, and it cannot be done without");
    expect(config).toMatchObject({
      'columns.sessionId': 'belongs to',
      'columns.response': 'input',
      'columns.tool': '-',
      'columns.time': 'created_at',
    });
  });

  test('of many columns is told in a few lines, and a column that is looked at again begins at what it is', async () => {
    const more = Array.from({ length: 50 }, (_, n) => `a_rather_long_name_of_a_column_${n} text`).join(', ');
    const url = await database(`CREATE TABLE wide (id int PRIMARY KEY, session_id text, tool text, ${more})`);
    const { config, heard } = await plan({ 'postgres.url': url }, [/read from which column/, 'change the tool']);
    expect(config['columns.tool']).toBe('tool');
    const table = heard[heard.indexOf('Columns of public.wide') + 1]!;
    expect(table).toMatch(/column_6, a_rather_long_name_of_a_column_7 and 42 more$/);
    expect(table).toMatch(/^the tool +tool +text$/m);
    expect(
      Math.max(
        ...table
          .split('\n')
          .slice(0, 9)
          .map((line) => line.length),
      ),
    ).toBeLessThan(60);
  });

  test('may be any other that can be tailed, with any name, partitioned too', async () => {
    const url = await database(`CREATE SCHEMA "Odd schema"; CREATE VIEW shown AS SELECT 1 AS id;
      CREATE TABLE "Odd schema"."lo.g" (k int, s text, at timestamptz, PRIMARY KEY (k, at)) PARTITION BY RANGE (at);
      CREATE TABLE part PARTITION OF "Odd schema"."lo.g" DEFAULT`);
    const { config, heard, loaded } = await plan(
      { 'postgres.url': url },
      [/Which table/, 'another table'],
      [/Its name/, 'shown'],
      [/Its name/, 'public.part'],
      [/Its name/, '"Odd schema"."lo.g"'],
      [/session$/, 's'],
      [/key of a row$/, 'k'],
      [/And now/, /only write/],
    );
    expect(heard.join('\n')).toMatch(/no table shown that can be tailed[\s\S]*no table public\.part/);
    expect(config['postgres.table']).toBe('"Odd schema"."lo.g"');
    const { created } = await initialise(loaded.config, { createTable: false });
    expect(created).toHaveLength(2);
    await queryOn(url, "SELECT pg_drop_replication_slot('trajectory_compiler')");
  });

  test('may be created, where the database has none', async () => {
    const url = await database('SELECT 1');
    const { config, createTable, heard } = await plan({ 'postgres.url': url });
    expect(createTable).toBe(true);
    expect(heard.join('\n')).toContain('CREATE TABLE IF NOT EXISTS "public"."audit_log"');
    expect((await initialise(config, { createTable })).created).toHaveLength(3);
    await queryOn(url, "SELECT pg_drop_replication_slot('trajectory_compiler')");
  });
});

test('rules, money, sinks and port are taken as they are answered', async () => {
  const names = join(dir, 'names.txt');
  writeFileSync(names, 'A Name\n');
  const url = await database(ours);
  const { config, heard, loaded } = await plan(
    { 'postgres.url': url },
    [/ended\?/, 'another time'],
    [/Such as/, 'soon'],
    [/Such as/, '45s'],
    [/at least\?/, '5000'],
    [/at least\?/, '6'],
    [/Folder/, './elsewhere'],
    [/names to mask/, join(dir, 'no-such-file')],
    [/names to mask/, names],
    [/Who writes/, /cheap/],
    [/a day cost/, 'much'],
    [/a day cost/, '2.5'],
    [/Where is the dataset/, /the file, and/],
    [/Address of the project/, 'abcdefgh'],
    [/Address of the project/, 'https://abcdefgh.supabase.co'],
    [/Port/, '9999'],
    [/And now/, /print the SQL/],
  );
  expect(config).toMatchObject({
    'session.idleTimeout': 45_000,
    'session.minTurns': 6,
    dataDir: './elsewhere',
    'redact.namesFile': names,
    'compile.tier': 'cheap',
    'budget.perDay': 2.5,
    sinks: ['sqlite', 'supabase'],
    'supabase.url': 'https://abcdefgh.supabase.co',
    'metrics.port': 9999,
  });
  expect(heard.join('\n')).toMatch(/GEMINI_API_KEY[\s\S]*estimate[\s\S]*SUPABASE_SECRET_KEY/);
  const again = join(dir, 'again.yaml');
  writeFileSync(again, settingsText(loaded));
  expect(loadConfig({ env: { TC_POSTGRES_URL: url }, flags: {}, file: again }).config).toEqual(config);
});

describe('a role without rights', () => {
  test('is offered the SQL for the administrator first, and told what its own attempt lacks', async () => {
    const url = await database(
      `${ours}; CREATE ROLE weak LOGIN PASSWORD 'only-for-this-test'; GRANT SELECT ON agent_events TO weak`,
    );
    const asWeak = new URL(url);
    [asWeak.username, asWeak.password] = ['weak', 'only-for-this-test'];
    const { config, server: task } = await plan({ 'postgres.url': asWeak.href });
    expect(task).toBe('print');
    await expect(initialise(config, { createTable: false })).rejects.toThrow(/CREATE PUBLICATION/);
  });
});

test('a slot of that name in another database is answered with another name', async () => {
  const [first, second] = [await database(ours), await database(ours)];
  await queryOn(first, "SELECT pg_create_logical_replication_slot('trajectory_compiler', 'pgoutput')");
  const { config, heard } = await plan({ 'postgres.url': second }, [/Another name/, 'Mine!'], [/Another name/, 'mine']);
  expect(config['postgres.slot']).toBe('mine');
  expect(heard.join('\n')).toMatch(/slot trajectory_compiler is of plugin pgoutput in database/);
  await queryOn(first, "SELECT pg_drop_replication_slot('trajectory_compiler')");
});

test.each<[when: string, answers: Answer[]]>([
  ['at the first question', [[/Which table/, null]]],
  ['at the last', [[/And now/, null]]],
  ['by saying so', [[/And now/, 'stop']]],
])('who stops %s leaves nothing behind', async (_, answers) => {
  const url = await database(ours);
  const target = file();
  const known = loadConfig({ env: {}, flags: { 'postgres.url': url }, file: '/dev/null' });
  await expect(askForPlan(scriptedAsk(...answers), known, target)).rejects.toMatchObject({ code: 'cancelled' });
  expect(existsSync(target)).toBe(false);
  expect(await queryOn(url, 'SELECT slot_name FROM pg_replication_slots')).toEqual([]);
});

test('a settings file that is there is replaced only by who says so', async () => {
  const target = file();
  writeFileSync(target, '');
  const known = loadConfig({ env: {}, flags: {}, file: '/dev/null' });
  const refused = scriptedAsk([/is there already.*\.bak/, false]);
  await expect(askForPlan(refused, known, target)).rejects.toMatchObject({ code: 'cancelled' });
});
