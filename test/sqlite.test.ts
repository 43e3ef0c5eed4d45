import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockDataDir } from '../src/sessionizer/lock.ts';
import { openSqlite } from '../src/sqlite.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sqlite-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('a folder that can not be made is an error that names the file and the setting', () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  const path = join(file, 'calls.sqlite');
  const unusable = expect.objectContaining({ kind: 'stop', code: 'file_unusable' });
  expect(() => openSqlite(path, { what: 'call store', migrations: [] })).toThrow(unusable);
  expect(() => openSqlite(path, { what: 'call store', migrations: [] })).toThrow(/no folder for call store .*dataDir/);
  expect(() => lockDataDir(file)).toThrow(unusable);
});
