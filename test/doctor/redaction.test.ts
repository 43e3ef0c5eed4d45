import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { examineRedaction } from '../../src/doctor/redaction.ts';
import { checksOf, faults, load, named } from './looking.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const look = (env: Record<string, string> = {}) => {
  const { config } = load({ TC_DATA_DIR: dir, ...env });
  return checksOf((list) => examineRedaction(list, config));
};

it('by default it is on, and no key is made', async () => {
  const checks = await look();
  expect(faults(checks)).toEqual([]);
  expect(named(checks, 'redact_key').sentence).toContain('the first run makes it');
  expect(readdirSync(dir)).toEqual([]);
});

it('off is warned of, with the sinks that get the rows as they are', async () => {
  const check = named(await look({ TC_REDACT_MODE: 'off', TC_SINKS: 'sqlite,supabase' }), 'redact_mode');
  expect(check).toMatchObject({ outcome: 'warning', remedy: 'set redact.mode to on (TC_REDACT_MODE=on)' });
  expect(check.sentence).toContain('sqlite and supabase get the rows as they are');
});

it('the list of names is read, and is no list where it is empty, missing or of another encoding', async () => {
  const path = join(dir, 'names.txt');
  const env = { TC_REDACT_NAMES_FILE: path };
  expect(faults(await look(env))).toEqual(['failure bad_settings']);
  writeFileSync(path, '\n');
  expect(faults(await look(env))).toEqual(['warning names_file']);
  writeFileSync(path, 'Ada Fictional\nAcme Imaginary\n');
  expect(named(await look(env), 'names_file').sentence).toMatch(/^2 names and terms/);
  writeFileSync(path, Buffer.from([0x4a, 0xf6, 0x72, 0x67]));
  expect(faults(await look(env))).toEqual(['failure bad_settings']);
});

it('keys that are too short are failures, and are not shown', async () => {
  const checks = await look({ TC_REDACT_KEY: 'too short', TC_REDACT_VAULT_KEY: 'short too' });
  expect(faults(checks)).toEqual(['failure redact_key_too_short', 'failure vault_key_too_short']);
  expect(JSON.stringify(checks)).not.toMatch(/too short"|short too/);
  writeFileSync(join(dir, 'redact.key'), 'short\n');
  expect(faults(await look())).toEqual(['failure redact_key_too_short']);
});

it('workers that share a call store need one key', async () => {
  const url = 'postgres://nobody@127.0.0.1:1/nowhere';
  expect(named(await look({ TC_CALLS_URL: url }), 'redact_key_missing').sentence).toContain('TC_REDACT_KEY');
  expect(faults(await look({ TC_CALLS_URL: url, TC_REDACT_KEY: 'a-visibly-fake-key' }))).toEqual([]);
});
