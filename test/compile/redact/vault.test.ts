import { describe, expect, it } from 'vitest';
import { createMemoryPlaceholders } from '../../../src/compile/redact/placeholders-sqlite.ts';
import { openRestore } from '../../../src/compile/redact/restore.ts';
import { openVault } from '../../../src/compile/redact/vault.ts';
import { type Row, trajectoryOf } from '../../support/trajectories.ts';
import { redactorOf } from './detectors.ts';

const vaultKey = 'a vault key of these tests';
const session = { source: 'test', sessionId: 'session-1' };

async function redacted(rows: Row[], options: Parameters<typeof redactorOf>[0] = { vaultKey }) {
  const placeholders = createMemoryPlaceholders();
  const { trajectory } = await redactorOf({ ...options, placeholders }).redact(trajectoryOf(rows));
  return { placeholders, texts: trajectory.turns.map(({ response }) => response!) };
}

describe('the vault', () => {
  it('brings masked values back, in plain text and in JSON at any depth', async () => {
    const address = 'said "é\n" at bob@example.com';
    const rows: Row[] = [
      { rawResponse: 'Ring 07700 900123, bob@example.com' },
      { response: { note: address, log: JSON.stringify({ customer_name: 'Ana "Bo"\nNair' }) } },
    ];
    const { placeholders, texts } = await redacted(rows);
    expect(texts.join()).not.toMatch(/07700|bob@|Nair/);
    const { restore, values } = await openRestore(placeholders, session, vaultKey);
    expect(values).toBe(3);
    expect(texts.map(restore)).toEqual([rows[0]!.rawResponse, JSON.stringify(rows[1]!.response)]);
  });

  it('never holds a secret, nor what is dropped, and nothing where it is not kept', async () => {
    const rows = [{ response: { password: 'x9-K!pple', to: 'bob@example.com', card: '4111111111111111' } }];
    const kindsIn = async (options: Parameters<typeof redactorOf>[0]) => {
      const { placeholders } = await redacted(rows, options);
      return (await placeholders.sealed(session)).map(({ kind }) => kind);
    };
    expect(await kindsIn({ vaultKey, policy: { CARD: 'drop' } })).toEqual(['EMAIL']);
    expect(await kindsIn({})).toEqual([]);
  });

  it('opens with its key alone, for the session, kind and hash that a value was sealed for', async () => {
    const { placeholders } = await redacted([{ response: 'bob@example.com' }]);
    await expect(openRestore(placeholders, session, 'another key of these tests')).rejects.toMatchObject({
      kind: 'stop',
      code: 'vault_key',
    });
    const vault = openVault(vaultKey);
    const name = { kind: 'EMAIL', hash: 'hash' } as const;
    const sealed = vault.seal(session, name, 'bob@example.com');
    expect(vault.open(session, name, sealed)).toBe('bob@example.com');
    expect(vault.seal(session, name, 'bob@example.com')).not.toEqual(sealed);
    const changed = Buffer.from(sealed);
    changed[changed.length - 1]! ^= 1;
    const others = [
      () => vault.open({ ...session, sessionId: 'another' }, name, sealed),
      () => vault.open({ ...session, source: 'another' }, name, sealed),
      () => vault.open(session, { ...name, kind: 'PERSON' }, sealed),
      () => vault.open(session, { ...name, hash: 'another' }, sealed),
      () => vault.open(session, name, changed),
      () => vault.open(session, name, sealed.subarray(0, 12)),
    ];
    for (const open of others) expect(open).toThrow(/the vault does not open/);
  });
});
