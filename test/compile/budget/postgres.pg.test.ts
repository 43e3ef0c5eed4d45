import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Budget } from '../../../src/compile/budget/budget.ts';
import { openPostgresBudget, type PostgresBudgetOptions } from '../../../src/compile/budget/postgres.ts';
import { silent } from '../../support/capture.ts';
import { queryOn, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { startProxy } from '../../support/tcp-proxy.ts';
import { budgetContract } from './contract.ts';

let server: TestPostgres;
let url: string;
const opened: Budget[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

const limits = { perCall: null, perTrajectory: null, perDay: 1, perMonth: null };
async function open(options: Partial<PostgresBudgetOptions> = {}): Promise<Budget> {
  const budget = await openPostgresBudget({ url, log: silent, limits, ...options });
  opened.push(budget);
  return budget;
}

budgetContract('Postgres', async () => {
  url = await server.createDatabase();
  return {
    open: (options) => openPostgresBudget({ url, log: silent, ...options }),
    count: async (table) =>
      Number((await queryOn(url, `SELECT count(*) FROM trajectory_compiler.budget_${table}`))[0]?.count),
    dispose: async () => {},
  };
});

describe('a budget in Postgres', () => {
  const spend = async (budget: Budget, usd: number) => {
    const ask = { callId: randomBytes(8).toString('hex'), trajectoryId: 't', agent: null, stage: 'compile' } as const;
    const reservation = await budget.reserve({ ...ask, maxUsd: usd }, new AbortController().signal);
    await reservation.settle(usd);
  };

  it('is made once by eight workers that start at the same moment, and tells the day by the server', async () => {
    url = await server.createDatabase();
    const budgets = await Promise.all(Array.from({ length: 8 }, () => open()));
    await Promise.all(budgets.map((budget) => spend(budget, 0.1)));
    const [{ day } = { day: '' }] = await queryOn(url, `SELECT (now() AT TIME ZONE 'UTC')::date::text AS day`);
    expect(await budgets[0]!.levels()).toMatchObject([{ scope: 'day', period: day, spentUsd: 0.8 }, {}]);
    await Promise.all(opened.splice(0).map((budget) => budget.close()));
  });

  it('does again, and once, what the server rolled back at the last moment', async () => {
    url = await server.createDatabase();
    const budget = await open();
    await spend(budget, 0.1);
    await queryOn(
      url,
      `CREATE SEQUENCE tries;
       CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF nextval('tries') = 1 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF; RETURN NULL; END $$;
       CREATE CONSTRAINT TRIGGER fail_once AFTER INSERT ON trajectory_compiler.budget_reservations
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_once()`,
    );
    await spend(budget, 0.2);
    expect(await budget.levels()).toMatchObject([{ spentUsd: 0.3, reservedUsd: 0 }, {}]);
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });

  it('tells the statements that let a role in, and they do', async () => {
    url = await server.createDatabase();
    const owner = await open();
    await queryOn(url, `CREATE ROLE spender LOGIN PASSWORD 'fake-spender'`);
    const at = new URL(url);
    at.username = 'spender';
    at.password = 'fake-spender';
    const refused = await open({ url: at.href }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: 'stop', code: 'budget_permission', exitCode: 3 });
    const grants = [...(refused as Error).message.matchAll(/GRANT .*?;/g)];
    expect(grants).toHaveLength(2);
    for (const [grant] of grants) await queryOn(url, grant);
    await spend(await open({ url: at.href }), 0.1);
    expect(await owner.levels()).toMatchObject([{ spentUsd: 0.1 }, {}]);
    await Promise.all(opened.splice(0).map((budget) => budget.close()));
  });

  it('waits for a server that is away with what is to be settled, and not with a look at the levels', async () => {
    const proxy = await startProxy();
    url = await server.createDatabase();
    const at = new URL(url);
    proxy.target = Number(at.port);
    at.hostname = '127.0.0.1';
    at.port = String(proxy.port);
    const drain = new AbortController();
    const budget = await open({ url: at.href, drain: drain.signal, patienceMs: 0 });
    const ask = { callId: 'one', trajectoryId: 't', agent: null, stage: 'compile', maxUsd: 0.5 } as const;
    const reservation = await budget.reserve(ask, new AbortController().signal);
    await proxy.refuse();
    const settled = reservation.settle(0.25);
    await expect(budget.levels()).rejects.toMatchObject({ kind: 'retry', code: 'budget_unreachable' });
    await proxy.open();
    await settled;
    expect(await budget.levels()).toMatchObject([{ spentUsd: 0.25, reservedUsd: 0 }, {}]);
    await Promise.all(opened.splice(0).map((one) => one.close()));
    await proxy.stop();
  });

  it('at a server that is not there may come later, and the setting is named', async () => {
    const away = openPostgresBudget({ url: 'postgres://nobody@127.0.0.1:1/nowhere', log: silent, limits });
    await expect(away).rejects.toMatchObject({ kind: 'retry', code: 'budget_unreachable' });
    const odd = openPostgresBudget({ url: 'mysql://nobody@127.0.0.1/nowhere', log: silent, limits });
    await expect(odd).rejects.toThrow('budget.url (TC_BUDGET_URL');
  });
});
