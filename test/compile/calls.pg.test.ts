import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CallStore } from '../../src/compile/calls.ts';
import { openPostgresCallStore } from '../../src/compile/calls-postgres.ts';
import { createLogger } from '../../src/log.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { callOf, segmentOf, trajectoryOf } from '../support/records.ts';
import { startProxy } from '../support/tcp-proxy.ts';
import { callStoreContract } from './call-store-contract.ts';

const log = createLogger('silent');
let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres({ own: true });
});
afterAll(() => server.stop());

callStoreContract('the Postgres store', async () => {
  const url = await server.createDatabase();
  const opened: CallStore[] = [];
  const openAt = async (at: string) => {
    const store = await openPostgresCallStore({ url: at, log });
    opened.push(store);
    return store;
  };
  return {
    open: () => openAt(url),
    openOther: async () => openAt(await server.createDatabase()),
    overwriteResults: async (text) => {
      await queryOn(url, 'UPDATE trajectory_compiler.segments SET result = $1', [text]);
    },
    dispose: async () => {
      await Promise.all(opened.map((store) => store.close().catch(() => {})));
    },
  };
});

const outcome = segmentOf(trajectoryOf());
const call = (id: string) => ({ ...callOf(outcome), id });

describe('a call store in Postgres', () => {
  let url: string;
  const opened: CallStore[] = [];
  const open = async (at = url, patienceMs = 15_000, drain?: AbortSignal) => {
    const store = await openPostgresCallStore({ url: at, log, patienceMs, ...(drain && { drain }) });
    opened.push(store);
    return store;
  };
  const asRole = (role: string, password = `fake-${role}`) => {
    const at = new URL(url);
    at.username = role;
    at.password = password;
    return at.href;
  };
  const createRole = async (role: string, sql = '') => {
    await queryOn(url, `CREATE ROLE ${role} LOGIN PASSWORD 'fake-${role}'; ${sql}`);
    return asRole(role);
  };
  beforeEach(async () => {
    url = await server.createDatabase();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close().catch(() => {})));
  });

  it('is made once by twelve workers that start at the same moment', async () => {
    const stores = await Promise.all(Array.from({ length: 12 }, () => open()));
    expect(new Set(stores.map(({ id }) => id)).size).toBe(1);
    expect(await queryOn(url, 'SELECT version FROM trajectory_compiler.store')).toEqual([{ version: 1 }]);
  });

  it('is made by workers whose database has another isolation level for a default', async () => {
    const { pathname } = new URL(url);
    await queryOn(url, `ALTER DATABASE ${pathname.slice(1)} SET default_transaction_isolation = 'serializable'`);
    const stores = await Promise.all(Array.from({ length: 6 }, () => open()));
    expect(new Set(stores.map(({ id }) => id)).size).toBe(1);
  });

  it('has what it recorded on disk although the role asks for less', async () => {
    const lax = await createRole('lax', 'ALTER ROLE lax SET synchronous_commit = off');
    await queryOn(url, `GRANT CREATE ON DATABASE ${new URL(url).pathname.slice(1)} TO lax`);
    const store = await open(lax);
    await queryOn(
      url,
      `CREATE TABLE seen (mode text); GRANT INSERT ON seen TO lax;
       CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
       CREATE TRIGGER note AFTER INSERT ON trajectory_compiler.calls FOR EACH ROW EXECUTE FUNCTION note();
       CREATE TRIGGER note AFTER INSERT ON trajectory_compiler.segments FOR EACH ROW EXECUTE FUNCTION note()`,
    );
    await store.record(call('a'), { key: 'question', reply: '"paid for"' });
    const result = { outcome, pairs: [], rejected: [], calls: [], compiledAt: '2026-03-04T00:00:00.000Z' };
    const key = { sessionId: 'a session', fingerprint: 'f', version: 'v' };
    await store.settle(key, { spec: 'segment_result/1', ...result });
    expect(await queryOn(url, 'SELECT mode FROM seen')).toEqual([{ mode: 'on' }, { mode: 'on' }]);
  });

  it('goes on over connections that were cut and a server that restarted', async () => {
    const store = await open();
    await Promise.all(Array.from({ length: 4 }, (_, n) => store.record(call(`before-${n}`))));
    await queryOn(
      server.adminUrl,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'trajectory-compiler call store'`,
    );
    await store.record(call('after the cut'), { key: 'question', reply: '"paid for"' });
    const restarted = server.restart('immediate');
    await store.record(call('during the restart'));
    await restarted;
    expect((await store.answer('question'))?.reply).toBe('"paid for"');
    expect(await store.unsettled(outcome.segment.id)).toHaveLength(6);
  });

  it('repeats what was in the middle of being written when its connection was lost', async () => {
    await (await open()).record(call('the schema is there'));
    const proxy = await cuttingProxy(url);
    try {
      const store = await open(proxy.url);
      proxy.cutAt('COMMIT');
      await store.record(call('a'), { key: 'question', reply: '"paid for"' });
      expect(proxy.cuts()).toBe(1);
      expect((await store.answer('question'))?.reply).toBe('"paid for"');
      expect((await store.unsettled(outcome.segment.id)).filter(({ id }) => id === 'a')).toHaveLength(1);
    } finally {
      await proxy.close();
    }
  });

  it('repeats what the server rolled back', async () => {
    const store = await open();
    await queryOn(
      url,
      `CREATE SEQUENCE tries;
       CREATE FUNCTION refuse_once() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN IF nextval('tries') = 1 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF; RETURN NULL; END $$;
       CREATE TRIGGER refuse_once AFTER INSERT ON trajectory_compiler.answers FOR EACH ROW EXECUTE FUNCTION refuse_once()`,
    );
    await store.record(call('a'), { key: 'question', reply: '"paid for"' });
    expect((await store.answer('question'))?.reply).toBe('"paid for"');
    expect(await store.unsettled(outcome.segment.id)).toHaveLength(1);
  });

  it('leaves the work to its topic where the server stays away', async () => {
    const proxy = await cuttingProxy(url);
    const store = await open(proxy.url, 300);
    await proxy.close();
    await expect(store.record(call('a'))).rejects.toMatchObject({ kind: 'retry', code: 'calls_unreachable' });
    await expect(store.answer('question')).rejects.toMatchObject({ kind: 'retry' });
  });

  it('is waited for by what has been paid for, however long it is away, until the worker drains', async () => {
    const warned = vi.spyOn(log, 'warn');
    const proxy = await startProxy();
    proxy.target = Number(new URL(url).port);
    const at = new URL(url);
    at.hostname = '127.0.0.1';
    at.port = String(proxy.port);
    const drain = new AbortController();
    // No patience but that for a server that is away.
    const store = await open(at.href, 0, drain.signal);
    /** Resolves once the first attempt has failed. */
    const recordWhileAway = async (id: string) => {
      await proxy.refuse();
      warned.mockClear();
      const outcome = store.record(call(id), { key: id, reply: '"paid for"' }).catch((error: unknown) => error);
      await vi.waitFor(() => expect(warned).toHaveBeenCalled(), { timeout: 15_000 });
      return { outcome };
    };
    try {
      const early = await recordWhileAway('early');
      await proxy.open();
      expect(await early.outcome).toBeUndefined();
      expect((await store.answer('early'))?.reply).toBe('"paid for"');
      const late = await recordWhileAway('late');
      drain.abort();
      expect(await late.outcome).toMatchObject({ kind: 'retry', code: 'calls_unreachable' });
    } finally {
      warned.mockRestore();
      await proxy.stop().catch(() => {});
    }
  });

  it('that is not there yet may come later', async () => {
    const proxy = await cuttingProxy(url);
    await proxy.close();
    await expect(open(proxy.url)).rejects.toMatchObject({ kind: 'retry', code: 'calls_unreachable' });
  });

  it.each<[string, string, (at: URL) => void]>([
    ['a wrong password', 'calls_auth', (at) => (at.password = 'fake-wrong')],
    ['no password', 'calls_auth', (at) => (at.password = '')],
    ['a database that is not there', 'calls_database', (at) => (at.pathname = '/nowhere')],
    ['another kind of URL', 'calls_url', (at) => (at.protocol = 'mysql')],
    ['TLS that the server does not speak', 'calls_tls', (at) => at.searchParams.set('sslmode', 'verify-full')],
  ])('at %s stops, and says which setting', async (_what, code, change) => {
    const at = new URL(url);
    change(at);
    const refused = await open(at.href).catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: 'stop', code, exitCode: 3 });
    expect((refused as Error).message).toContain('calls.url (TC_CALLS_URL)');
    if (at.password !== '') expect((refused as Error).message).not.toContain(at.password);
  });

  it('tells the statements that let a role in, and they do', async () => {
    const outsider = await createRole('outsider');
    const refused = (await open(outsider).catch((error: unknown) => error)) as Error;
    expect(refused).toMatchObject({ kind: 'stop', code: 'calls_permission' });
    const [, statement] = /(CREATE SCHEMA .*?;)/.exec(refused.message) ?? [];
    await queryOn(url, statement ?? '');
    const store = await open(outsider);
    await store.record(call('a'));

    const second = await createRole('second');
    const message = String(((await open(second).catch((error: unknown) => error)) as Error).message);
    for (const [grant] of message.matchAll(/GRANT .*?;/g)) await queryOn(url, grant);
    const beside = await open(second);
    expect(beside.id).toBe(store.id);
    await beside.record(call('b'), { key: 'question', reply: '"paid for"' });
    expect(await store.unsettled(outcome.segment.id)).toHaveLength(2);
  });

  it('of a newer version is left alone', async () => {
    await open();
    await queryOn(url, 'UPDATE trajectory_compiler.store SET version = 99');
    await expect(open()).rejects.toMatchObject({ kind: 'stop', code: 'calls_newer' });
  });
});

/** Passes bytes on to a server, and cuts the connection when a client is about to send a certain word. */
async function cuttingProxy(url: string) {
  const target = new URL(url);
  let word: string | null = null;
  let cuts = 0;
  const sockets = new Set<ReturnType<typeof connect>>();
  const proxy = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => to.destroy());
    }
    upstream.on('data', (bytes) => client.write(bytes));
    client.on('data', (bytes) => {
      if (word === null || !bytes.includes(word)) return void upstream.write(bytes);
      word = null;
      cuts++;
      client.destroy();
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const at = new URL(url);
  at.port = String((proxy.address() as { port: number }).port);
  return {
    url: at.href,
    cutAt: (text: string) => {
      word = text;
    },
    cuts: () => cuts,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      if (!proxy.listening) return;
      proxy.close();
      await once(proxy, 'close');
    },
  };
}
