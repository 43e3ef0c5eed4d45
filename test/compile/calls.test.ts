import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { type CallStore, openCallStore } from '../../src/compile/calls.ts';
import { callStoreContract } from './call-store-contract.ts';

callStoreContract('the SQLite store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tc-calls-'));
  const opened: CallStore[] = [];
  const openAt = async (name: string) => {
    const store = openCallStore(join(folder, name));
    opened.push(store);
    return store;
  };
  return {
    open: () => openAt('calls.sqlite'),
    openOther: () => openAt('other.sqlite'),
    overwriteResults: async (text) => {
      const db = new Database(join(folder, 'calls.sqlite'));
      db.prepare('UPDATE segments SET result = ?').run(text);
      db.close();
    },
    dispose: async () => {
      for (const store of opened) await store.close();
      rmSync(folder, { recursive: true });
    },
  };
});

describe('a call store file', () => {
  it('that an earlier version made is used as it is, and gets an id', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tc-calls-'));
    const path = join(folder, 'calls.sqlite');
    try {
      await openCallStore(path).close();
      const db = new Database(path);
      db.exec('DROP TABLE store');
      db.pragma('user_version = 1');
      db.close();
      const store = openCallStore(path);
      expect(store.id).toMatch(/^[0-9a-f-]{36}$/);
      await store.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
