import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { lockDataDir } from '../../src/sessionizer/lock.ts';

/** Reads as doctor does, and goes on until it is told that somebody wants the lock. */
const reader = `
  const { parentPort, workerData } = require('node:worker_threads');
  const db = new (require(workerData.sqlite))(workerData.path, { readonly: true });
  db.exec('BEGIN');
  db.prepare('SELECT count(*) FROM sqlite_master').get();
  parentPort.postMessage('reading');
  Atomics.wait(workerData.wanted, 0, 0);
  Atomics.wait(workerData.wanted, 0, 1, 20);
  db.close();`;

test('a capture waits a moment for who only looks whether one runs', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tc-lock-'));
  lockDataDir(dir).release();
  const wanted = new Int32Array(new SharedArrayBuffer(4));
  const sqlite = new URL(import.meta.resolve('better-sqlite3')).pathname;
  const worker = new Worker(reader, { eval: true, workerData: { path: join(dir, 'capture.lock'), wanted, sqlite } });
  try {
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    Atomics.store(wanted, 0, 1);
    Atomics.notify(wanted, 0);
    expect(() => lockDataDir(dir).release()).not.toThrow();
  } finally {
    await worker.terminate();
    rmSync(dir, { recursive: true });
  }
});
