import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openPostgresBudget } from '../../src/compile/budget/postgres.ts';
import { openPostgresCallStore } from '../../src/compile/calls-postgres.ts';
import { openPostgresCoverage } from '../../src/compile/coverage/postgres.ts';
import { openPostgresPlaceholderStore } from '../../src/compile/redact/placeholders-postgres.ts';
import { examineStores } from '../../src/doctor/stores.ts';
import { createLogger } from '../../src/log.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { checksOf, faults, load, named } from './looking.ts';

let postgres: TestPostgres;
let url: string;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres?.stop());
beforeEach(async () => {
  url = await postgres.createDatabase();
});

const log = createLogger('silent');
const unlimited = { perCall: null, perTrajectory: null, perDay: null, perMonth: null };
const tablesIn = (at: string) => queryOn(at, "SELECT FROM pg_tables WHERE schemaname = 'trajectory_compiler'");

function look(env: Record<string, string> = {}) {
  const { config } = load({ TC_COMPILE_TIER: 'cheap', TC_CALLS_URL: url, ...env });
  return checksOf((list) => examineStores(list, config));
}

async function openAll(): Promise<void> {
  const rules = { first: 1, oneIn: 1, windowMs: 1 };
  for (const opening of [
    openPostgresCallStore({ url, log }),
    openPostgresPlaceholderStore({ url, log }),
    openPostgresCoverage({ url, log, ...rules }),
    openPostgresBudget({ url, log, limits: unlimited }),
  ])
    await (await opening).close();
}

it('an empty database will do, and stays empty', async () => {
  const checks = await look();
  expect(faults(checks)).toEqual([]);
  expect(named(checks, 'calls_store').sentence).toContain('the first start makes what is missing');
  expect(await tablesIn(url)).toEqual([]);
});

it('tables that are there are written by whoever may, and what a day cost is told', async () => {
  await openAll();
  const day = new Date().toISOString().slice(0, 10);
  await queryOn(url, `INSERT INTO trajectory_compiler.budget_periods VALUES ('day', '${day}', 2500000000)`);
  const checks = await look({ TC_BUDGET_PER_DAY: '2' });
  expect(named(checks, 'calls_store').sentence).toContain('is there, and may be written');
  expect(named(checks, 'budget_store').sentence).toContain('is there, and may be written');
  expect(named(checks, 'budget_spent')).toMatchObject({ outcome: 'warning', remedy: 'wait, or raise budget.perDay' });
  expect(faults(checks)).toEqual(['warning budget_spent']);
});

it('tables of a newer version are a failure', async () => {
  await openAll();
  await queryOn(url, 'UPDATE trajectory_compiler.store SET version = 99');
  expect(faults(await look())).toEqual(['failure calls_newer']);
});

it('a role without the rights is told the statements that grant them', async () => {
  await openAll();
  await queryOn(url, "DROP ROLE IF EXISTS doctor_reader; CREATE ROLE doctor_reader LOGIN PASSWORD 'visibly-fake'");
  await queryOn(
    url,
    'GRANT USAGE ON SCHEMA trajectory_compiler TO doctor_reader; GRANT SELECT ON ALL TABLES IN SCHEMA trajectory_compiler TO doctor_reader',
  );
  const as = new URL(url);
  [as.username, as.password] = ['doctor_reader', 'visibly-fake'];
  try {
    const refused = named(await look({ TC_CALLS_URL: as.href }), 'calls_permission');
    expect(refused.sentence).toContain('GRANT SELECT, INSERT, UPDATE ON ALL TABLES');
    const other = new URL(await postgres.createDatabase());
    [other.username, other.password] = ['doctor_reader', 'visibly-fake'];
    expect(named(await look({ TC_CALLS_URL: other.href }), 'calls_permission').sentence).toContain('CREATE SCHEMA');
  } finally {
    await queryOn(url, 'DROP OWNED BY doctor_reader; DROP ROLE doctor_reader');
  }
});

it('a server that is away is no fault of the settings, and its password is not shown', async () => {
  const away = named(
    await look({ TC_CALLS_URL: 'postgres://nobody:hunter2@127.0.0.1:1/nowhere' }),
    'calls_unreachable',
  );
  expect(away).toMatchObject({ outcome: 'failure', exitCode: 5 });
  expect(away.sentence).not.toContain('hunter2');
  expect(faults(await look({ TC_CALLS_URL: 'hunter2' }))).toContain('failure calls_url');
});
