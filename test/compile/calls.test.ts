import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { type CallStore, openCallStore } from '../../src/compile/calls.ts';
import { segmentOf, trajectoryOf } from '../support/records.ts';
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

  it('gives the result of another process that is just recording its own', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tc-calls-'));
    const path = join(folder, 'calls.sqlite');
    const store = openCallStore(path);
    try {
      const result = { outcome: segmentOf(trajectoryOf()), pairs: [], rejected: [], calls: [] };
      const resultAt = (compiledAt: string) => ({ spec: 'segment_result/1' as const, ...result, compiledAt });
      const other = spawn(process.execPath, ['--input-type=module', '--eval', slowSettle, path], {
        env: { ...process.env, RESULT: JSON.stringify(resultAt('2026-03-04T00:00:00.000Z')) },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(other, 'close');
      await once(other.stdout, 'data');
      const key = { sessionId: 's', fingerprint: 'f', version: 'v' };
      expect((await store.settle(key, resultAt('2026-03-05T00:00:00.000Z'))).compiledAt).toMatch(/^2026-03-04/);
      expect((await ended)[0]).toBe(0);
    } finally {
      await store.close();
      rmSync(folder, { recursive: true });
    }
  });
});

/** Holds the file for writing for a while before it records: this process waits for it meanwhile, and can tell it nothing. */
const slowSettle = `
  import Database from 'better-sqlite3';
  const db = new Database(process.argv[1]);
  db.exec('BEGIN IMMEDIATE');
  process.stdout.write('holding');
  setTimeout(() => {
    db.prepare("INSERT INTO segments VALUES ('s', 'f', 'v', ?)").run(process.env.RESULT);
    db.exec('COMMIT');
  }, 400);
`;
