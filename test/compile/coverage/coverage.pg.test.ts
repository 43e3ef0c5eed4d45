import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Coverage } from '../../../src/compile/coverage/coverage.ts';
import { openPostgresCoverage } from '../../../src/compile/coverage/postgres.ts';
import { createLogger } from '../../../src/log.ts';
import { queryOn, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { coverageContract, routine, viewOf } from './contract.ts';

const log = createLogger('silent');
let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

coverageContract('Postgres', async () => {
  const url = await server.createDatabase();
  const opened: Coverage[] = [];
  return {
    open: async (rules) => {
      const coverage = await openPostgresCoverage({ url, log, ...rules });
      opened.push(coverage);
      return coverage;
    },
    dispose: async () => void (await Promise.all(opened.map((coverage) => coverage.close()))),
  };
});

it('coverage in Postgres goes on over connections that were cut', async () => {
  const url = await server.createDatabase();
  const coverage = await openPostgresCoverage({ url, log, first: 1, oneIn: 9, windowMs: 1000 });
  expect(await coverage.admits(viewOf(routine, 'before'))).toBe(true);
  await queryOn(
    url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'trajectory-compiler coverage' AND datname = current_database()`,
  );
  expect(await coverage.admits(viewOf(routine, 'after'))).toBe(false);
  await coverage.close();
});
