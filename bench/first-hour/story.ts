/** The walk itself. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { feedFleet } from '../../src/demo/feed.ts';
import { pause } from '../../src/lifecycle.ts';
import type { EmbeddedPostgres } from '../../src/postgres/embedded.ts';
import { freePort } from '../../test/support/free-port.ts';
import { startPrometheus } from '../../test/support/prometheus.ts';
import { statsOf } from './dashboard.ts';
import { Page, shortened } from './page.ts';
import { run, type Shell, type Started, start } from './shell.ts';

interface Scene {
  repository: string;
  folder: string;
  postgres: EmbeddedPostgres;
  say: (line: string) => void;
}

const table = 'ops.agent_events';
const createTable = `CREATE SCHEMA ops;
CREATE TABLE ops.agent_events (
  event_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  conversation text NOT NULL,
  actor        text,
  action       text,
  input        jsonb,
  output       jsonb,
  usd          numeric,
  took_ms      integer,
  happened_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);`;
const columns = {
  sessionId: 'conversation',
  key: 'event_id',
  agent: 'actor',
  tool: 'action',
  arguments: 'input',
  response: 'output',
  cost: 'usd',
  duration: 'took_ms',
  time: 'happened_at',
  metadata: [],
};
const columnFlags = [
  ['--postgres-table', table],
  ['--columns-session-id', columns.sessionId],
  ['--columns-key', columns.key],
  ['--columns-agent', columns.agent],
  ['--columns-tool', columns.tool],
  ['--columns-arguments', columns.arguments],
  ['--columns-response', columns.response],
  ['--columns-cost', columns.cost],
  ['--columns-duration', columns.duration],
  ['--columns-time', columns.time],
].flat();

const password = 'not-a-real-password';
const fleetSpeed = 30;
const scrapeEveryMs = 1000;

export async function firstHour({ repository, folder, postgres, say }: Scene): Promise<string> {
  const checkout = join(folder, 'trajectory-compiler');
  const metricsPort = await freePort();
  const owner = urlOf(postgres, 'app');
  const capture = urlOf(postgres, 'app', { user: 'trajectory_compiler', password });
  const page = new Page(
    [
      [checkout, '~/trajectory-compiler'],
      [new URL(postgres.url).password, 'not-a-real-password'],
      [String(postgres.port), '5432'],
      [String(metricsPort), '9464'],
      // Of the machine's npm, not of this program.
      [/^npm (?:warn|notice).*\n/gm, ''],
    ],
    say,
  );
  const shell: Shell = { folder: checkout, env: { TC_METRICS_PORT: String(metricsPort) } };
  const program = (url: string, args: readonly string[], codes?: readonly number[]) =>
    run({ ...shell, env: { ...shell.env, TC_POSTGRES_URL: url } }, 'npm', ['start', '--silent', '--', ...args], codes);
  const typed = async (
    url: string,
    args: readonly string[],
    options: { codes?: readonly number[]; most?: number } = {},
  ) => {
    const { output } = await program(url, args, options.codes);
    page.command(`npm start --silent -- ${args.map(quoted).join(' ')}`, shortened(output, options.most ?? 60));
  };

  page.prose(intro(postgres.version));
  await install(page, { repository, folder });

  page.heading('A table of your own');
  await execute(urlOf(postgres, 'postgres'), 'CREATE DATABASE app');
  await execute(owner, createTable);
  page.prose(tableText);
  page.show('sql', createTable);
  page.prose(settingsText);
  page.show('console', exported('postgres'));
  const write = ['init', '--write', '--no-run', ...columnFlags, '--session-idle-timeout', '20s'];
  page.command(
    `npm start --silent -- ${write.join(' ')}`,
    (await run({ ...shell, env: { TC_POSTGRES_URL: owner } }, 'npm', ['start', '--silent', '--', ...write])).output,
  );
  page.prose('What stands in it, the lines that are comments aside:');
  const active = readFileSync(join(checkout, 'trajectory-compiler.yaml'), 'utf8').split('\n');
  page.command("grep -v '^ *#' trajectory-compiler.yaml", active.filter((line) => !/^\s*(#|$)/.test(line)).join('\n'));

  page.heading('Ask the doctor');
  page.prose('It looks, and changes nothing. This server was never meant for replication:');
  await typed(owner, ['doctor'], { codes: [3] });

  page.heading('What the administrator runs');
  page.prose(administratorText);
  const alter = "ALTER SYSTEM SET wal_level = 'logical'; ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';";
  const index = 'CREATE INDEX CONCURRENTLY ON ops.agent_events (happened_at);';
  page.show('sql', `${alter.replace('; ', ';\n')}\n-- and a restart of the server\n${index}`);
  await execute(owner, ...statementsOf(alter.replace('; ', ';\n')));
  await postgres.restart();
  await execute(owner, index);
  const setup = ['init', '--print-sql', '--for-role', 'trajectory_compiler'];
  const printed = await program(owner, setup);
  page.command(`npm start --silent -- ${setup.join(' ')}`, printed.output);
  await execute(owner, ...statementsOf(printed.stdout), `ALTER ROLE trajectory_compiler PASSWORD '${password}'`);
  page.prose(greenText);
  page.show('console', exported('trajectory_compiler'));
  await typed(capture, ['doctor']);

  page.heading('Run it');
  page.prose(runText);
  const running = start({ ...shell, env: { ...shell.env, TC_POSTGRES_URL: capture } }, 'npm', [
    'start',
    '--silent',
    '--',
    'run',
  ]);
  await reached(running, () => running.output().includes('metrics at'));
  const prometheus = await startPrometheus(prometheusFiles(checkout, metricsPort));
  try {
    await work(owner);
    await reached(running, async () => {
      const { capture: now, messages } = JSON.parse((await program(capture, ['status', '--json'])).stdout) as {
        capture: { openSessions: number };
        messages: { waiting: number };
      };
      return now.openSessions === 0 && messages.waiting === 0;
    });
    page.prose('In another terminal:');
    await typed(capture, ['status']);

    page.heading('First pairs');
    await typed(capture, ['stats']);
    await typed(capture, ['sample', '--limit', '2']);

    page.heading('The dashboard');
    page.prose(dashboardText);
    const names = '^tc_(source_rows_total|source_lag_seconds|sessions_open|pairs_accepted_total|dataset_pairs)';
    const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const lines = metrics.split('\n').filter((line) => new RegExp(names).test(line));
    page.command(`curl -s http://127.0.0.1:9464/metrics | grep -E '${names}'`, lines.join('\n'));
    await pause(5 * scrapeEveryMs);
    page.prose(overviewText);
    const rows = await statsOf(join(checkout, 'deploy/grafana/dashboards/overview.json'), prometheus);
    page.prose(['| panel of the overview | shows |', '|---|---|', ...rows].join('\n'));
  } finally {
    await prometheus.stop();
    running.interrupt();
  }
  page.heading('Stop, and go on');
  page.prose('Ctrl-C in the terminal of `run`. Everything that it printed, from start to end:');
  const { output } = await running.ended;
  page.command('npm start --silent -- run', shortened(output, 30));
  page.prose(endText);
  page.show('console', exported('postgres'));
  await typed(owner, ['teardown']);
  return page.text('The first hour');
}

async function install(page: Page, { repository, folder }: Pick<Scene, 'repository' | 'folder'>): Promise<void> {
  page.heading('An empty machine');
  mkdirSync(folder, { recursive: true });
  const home: Shell = { folder, env: {} };
  page.command('node --version', (await run(home, 'node', ['--version'])).stdout);
  await run(home, 'git', ['clone', '--quiet', repository, 'trajectory-compiler']);
  const { output: installed } = await run({ ...home, folder: join(folder, 'trajectory-compiler') }, 'npm', ['ci']);
  page.command(
    'git clone … && cd trajectory-compiler && npm ci',
    installed
      .split('\n')
      .filter((line) => /^added/.test(line))
      .join('\n'),
  );
}

/** The fleet writes as agents would: into the table as it is. */
async function work(url: string): Promise<void> {
  const signal = new AbortController().signal;
  await feedFleet({ url, table, columns, exclude: [], seed: 11, speed: fleetSpeed, keep: false, signal });
}

async function reached(running: Started, condition: () => boolean | Promise<boolean>): Promise<void> {
  let over = false;
  void running.ended.finally(() => {
    over = true;
  });
  while (!(await condition())) {
    if (over) throw new Error(`run ended: ${running.output()}`);
    await pause(500);
  }
}

function urlOf({ url }: EmbeddedPostgres, database: string, login?: { user: string; password: string }): string {
  const made = new URL(url);
  made.pathname = `/${database}`;
  if (login !== undefined) {
    made.username = login.user;
    made.password = login.password;
  }
  return made.href;
}

/** One after another over one connection, as psql does: some can't run in one transaction with others. */
async function execute(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

function statementsOf(script: string): string[] {
  const lines = script.split('\n').filter((line) => !line.startsWith('--'));
  const statements = lines.join('\n').split(/;\s*$/m);
  return statements.map((text) => text.trim()).filter((text) => text !== '');
}

function prometheusFiles(checkout: string, port: number): Parameters<typeof startPrometheus>[0] {
  const rule = (name: string) => readFileSync(join(checkout, 'deploy/prometheus/rules', name), 'utf8');
  return {
    'prometheus.yml': `global: { scrape_interval: 1s, evaluation_interval: 2s }
rule_files: ['rules/*.yml']
scrape_configs:
  - job_name: trajectory-compiler
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
`,
    'rules/recording.yml': rule('recording.yml'),
    'rules/alerts.yml': rule('alerts.yml'),
  };
}

/** As whom the commands that follow go to the database. */
const exported = (role: string) => `$ export TC_POSTGRES_URL=postgres://${role}:…@127.0.0.1:5432/app`;

const quoted = (word: string) => (/^[\w./=-]+$/.test(word) ? word : `'${word}'`);

const intro = (version: string) => `
From an empty machine to pairs and a dashboard, as it went on one machine with PostgreSQL ${version}. Everything below was
printed by the commands above it; \`npm run drill:first-hour\` walks the same way again and writes this page. Only paths,
ports and the password were replaced.`;

const tableText = `
Your agents write into a table of yours; its columns have names of their own. Here it is this one, and the simulated fleet of
the demo stands in for the agents.`;

const settingsText = `
On a terminal, \`npm start -- init\` finds the table, guesses what its columns hold and asks about the rest. The same without
questions, where the connection string comes from \`TC_POSTGRES_URL\` and is never written down. A session counts as ended
after ten minutes without a row; for this walk it is twenty seconds:`;

const administratorText = `
Two settings of the server, a restart and an index come first, since the doctor says so. The rest is a script that \`init\` prints, for
whoever may run it; with the rights of the table's owner, \`init\` alone does it itself:`;

const greenText = `
Run as it stands, and the role given a password with \`\\password\`. As that role, the doctor has one warning left, of the twenty
seconds that serve this walk alone:`;

const runText = `
\`run\` stays in its terminal. The agents are at work meanwhile, for about forty seconds; half a minute later the last of their
sessions has ended, been compiled by the rules, and stored.`;

const dashboardText = `
\`run\` serves its metrics. \`docker compose --profile monitoring up\` in \`deploy\` starts Prometheus and Grafana with the
dashboards and alerts; \`deploy/README.md\` says how to add them to what you have.`;

const overviewText = `
This walk had a Prometheus and no Grafana: what the figures of the overview show is what Prometheus answered to their
expressions. What happened within a time it estimates from its scrapes, so these come near the counts above and do not meet
them; pairs accepted are all that passed the gates, those that ask the same of other things too.`;

const endText = `
The next \`run\` goes on where this one stopped. Who is done for good drops publication and slot, as the owner: a slot that
nobody reads keeps WAL until the disk is full.`;
