import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgresCallStore } from '../../../src/compile/calls-postgres.ts';
import type { PlaceholderStore } from '../../../src/compile/redact/placeholder-store.ts';
import { openPostgresPlaceholderStore } from '../../../src/compile/redact/placeholders-postgres.ts';
import { createLogger } from '../../../src/log.ts';
import { queryOn, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { placeholderStoreContract } from './placeholder-store-contract.ts';

const log = createLogger('silent');
let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

placeholderStoreContract('the Postgres store', async () => {
  const url = await server.createDatabase();
  const opened: PlaceholderStore[] = [];
  return {
    open: async () => {
      const store = await openPostgresPlaceholderStore({ url, log });
      opened.push(store);
      return store;
    },
    dispose: async () => {
      await Promise.all(opened.map((store) => store.close()));
    },
  };
});

describe('placeholders in Postgres', () => {
  it('share the schema with the call store, whichever is opened first, by several workers at once', async () => {
    const url = await server.createDatabase();
    const opening = [0, 1, 2].flatMap(() => [
      openPostgresPlaceholderStore({ url, log }),
      openPostgresCallStore({ url, log }),
    ]);
    const stores = await Promise.all(opening);
    await Promise.all(stores.map((store) => store.close()));
    const again = await openPostgresPlaceholderStore({ url, log });
    await again.close();
  });

  it('of a newer version are left alone', async () => {
    const url = await server.createDatabase();
    await (await openPostgresPlaceholderStore({ url, log })).close();
    await queryOn(url, 'UPDATE trajectory_compiler.placeholder_store SET version = 99');
    await expect(openPostgresPlaceholderStore({ url, log })).rejects.toMatchObject({
      kind: 'stop',
      code: 'calls_newer',
    });
  });

  it('whose server is away are no fault of the trajectory: it is tried again', async () => {
    const url = 'postgres://worker@127.0.0.1:1/nowhere';
    await expect(openPostgresPlaceholderStore({ url, log })).rejects.toMatchObject({
      kind: 'retry',
      code: 'calls_unreachable',
    });
  });
});
