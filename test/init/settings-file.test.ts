import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { type LoadedConfig, loadConfig, settingNames } from '../../src/config.ts';
import type { Given } from '../../src/init/given-settings.ts';
import { refuseExisting, settingsText, writeSettings } from '../../src/init/settings-file.ts';
import { settingsSchema } from '../../src/init/settings-schema.ts';
import type { Setting } from '../../src/setting-kinds.ts';
import { settings } from '../../src/settings.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tc-settings-file-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const read = (flags: Given, text = ''): LoadedConfig => {
  const file = join(mkdtempSync(join(dir, 'f-')), 'settings.yaml');
  writeFileSync(file, text);
  return loadConfig({ env: {}, flags, file });
};

/** Of every kind of setting, with text that YAML would read otherwise. */
const given: Given = {
  'postgres.table': '"Agent Logs"."log: #1"',
  'postgres.failoverSlot': 'on',
  'columns.sessionId': '0123',
  'columns.agent': '-',
  'columns.tool': 'null',
  'columns.response': 'it\'s "quoted"\tand: so # on',
  'columns.metadata': '["tenant","b, c"]',
  'capture.exclude': '[{"column":"agent","equals":"line\\nbreak"}]',
  'capture.shard': '1/4',
  'capture.bufferBytes': '1 GiB',
  'session.idleTimeout': '90s',
  'session.minTurns': '5',
  'session.endMarker': '{"column":"tool","equals":"yes"}',
  'budget.perDay': '0.25',
  prices: '{"some-model":{"input":1,"output":2.5}}',
  'redact.mode': 'off',
  'redact.policy': '{"IP":"keep"}',
  roles: 'capture,sink',
  sinks: 'supabase,sqlite',
  'kafka.brokers': 'kafka-1:9092,kafka-2:9092',
  'kafka.compiledRetention': '90d',
  'supabase.url': 'https://abcdefgh.supabase.co',
  'metrics.port': '0',
};

/** Takes the # away from every setting that stands commented out. */
const uncommented = (text: string) => text.replace(/^( *)#(\w+:)/gm, '$1$2');

describe('the settings file', () => {
  test('is read to exactly the settings that it was written from', () => {
    const loaded = read(given);
    const again = read({}, settingsText(loaded));
    expect(again.config).toEqual(loaded.config);
    expect(again.warnings).toEqual([]);
    expect(settingsText(again)).toBe(settingsText(loaded));
  });

  test('has every setting that is not secret, and those that are as given by default commented out', () => {
    const text = settingsText(read({ 'session.minTurns': '5', 'session.maxTurns': '2000' }));
    expect(text.split('\n').filter((line) => /^ *\w+: ./.test(line))).toEqual(['  minTurns: 5']);
    const members = parse(uncommented(text)) as Record<string, unknown>;
    for (const name of settingNames) {
      const [group = '', member] = name.split('.');
      const holder = (member === undefined ? members : (members[group] ?? {})) as Record<string, unknown>;
      expect(member === undefined ? group in holder : member in holder, name).toBe(!isSecret(name));
    }
  });

  test('says what holds already once each # is taken away', () => {
    const text = uncommented(settingsText(read({})));
    expect(text).not.toMatch(/^ *#\w/m);
    expect(read({}, text).config).toEqual(read({}).config);
  });

  test('names its schema on the first line', () => {
    const [first] = settingsText(read({})).split('\n');
    expect(first).toBe('# yaml-language-server: $schema=./trajectory-compiler.schema.json');
  });

  test('never holds a secret, whichever way it was given', () => {
    const secrets = settingNames.filter(isSecret);
    expect(secrets.length).toBeGreaterThan(8);
    const flags = Object.fromEntries(secrets.map((name) => [name, 'postgres://u:not-a-real-one@127.0.0.1/db']));
    const text = settingsText(
      read({
        ...flags,
        'openai.baseUrl': 'https://llm.example.com/v1?api_key=not-a-real-one',
        'gemini.baseUrl': 'https://u:not-a-real-one@h/',
      }),
    );
    expect(text).not.toContain('not-a-real-one');
    expect(text).toContain('# url: Not in this file, but in the environment: TC_POSTGRES_URL holds it');
  });
});

const isSecret = (name: (typeof settingNames)[number]) => (settings[name] as Setting<unknown>).secret === true;

describe('the JSON Schema', () => {
  const schema = z.fromJSONSchema(settingsSchema() as Parameters<typeof z.fromJSONSchema>[0]);
  const accepts = (text: string) => schema.safeParse(parse(text)).success;

  test('accepts what is written, with and without what is commented out', () => {
    for (const text of [settingsText(read({})), settingsText(read(given))]) {
      expect(accepts(text)).toBe(true);
      expect(accepts(uncommented(text))).toBe(true);
    }
  });

  test('takes lists as text with commas too, as the file is read', () => {
    expect(accepts('sinks: sqlite, supabase')).toBe(true);
    expect(accepts('kafka: {brokers: "kafka-1:9092,kafka-2:9092"}')).toBe(true);
  });

  test.each([
    'session: {idleTimeout: 10}',
    'session: {idleTimeout: ten minutes}',
    'session: {idleTimout: 10m}',
    'session: {minTurns: 1}',
    'session: {minTurns: 2.5}',
    'session: {maxBytes: 16 MB of text}',
    'session: {endMarker: {column: tool}}',
    'session: 10m',
    'compile: {tier: best}',
    'sinks: [sqlite, nowhere]',
    'sinks: nowhere',
    'capture: {exclude: [agent]}',
    'capture: {shard: half}',
    'columns: {metadata: tenant}',
    'metrics: {port: 70000}',
    'budget: {perDay: -1}',
    'redact: {policy: {IP: hide}}',
    'prices: {some-model: {input: 1}}',
    'kafka: {retention: forever}',
    'sesion: {minTurns: 3}',
  ])('refuses %s, as the program does', (text) => {
    expect(accepts(text)).toBe(false);
    expect(() => read({}, text)).toThrow();
  });

  test('has a sentence for each setting', () => {
    const { properties } = settingsSchema() as {
      properties: Record<string, { description?: string; properties?: object }>;
    };
    const all = Object.values(properties).flatMap((p) =>
      p.description === undefined ? Object.values(p.properties ?? {}) : [p],
    );
    expect(all).toHaveLength(settingNames.length);
    for (const { description } of all as { description: string }[]) expect(description).toMatch(/\. Must be ./);
  });
});

describe('writing it', () => {
  const fresh = () => join(mkdtempSync(join(dir, 'w-')), 'trajectory-compiler.yaml');

  test('puts the schema beside it, and does so again where nothing would change', () => {
    const file = fresh();
    const written = writeSettings(file, read(given), { force: false });
    expect(written).toEqual({ file, schema: join(file, '..', 'trajectory-compiler.schema.json'), backup: null });
    expect(JSON.parse(readFileSync(written.schema, 'utf8'))).toEqual(settingsSchema());
    expect(writeSettings(file, read(given), { force: false }).backup).toBeNull();
  });

  test('leaves a file alone that says something else, and keeps a copy where it is to be replaced', () => {
    const file = fresh();
    writeFileSync(file, 'session: {minTurns: 7}\n');
    expect(() => refuseExisting(file, read({}), false)).toThrow(/is there already.*--force/);
    expect(() => writeSettings(file, read({}), { force: false })).toThrow(/is there already/);
    expect(readFileSync(file, 'utf8')).toBe('session: {minTurns: 7}\n');
    expect(existsSync(join(file, '..', 'trajectory-compiler.schema.json'))).toBe(false);
    expect(writeSettings(file, read({}), { force: true }).backup).toBe(`${file}.bak`);
    expect(readFileSync(`${file}.bak`, 'utf8')).toBe('session: {minTurns: 7}\n');
  });

  test('says where it can not be written', () => {
    const file = join(dir, 'no', 'such', 'folder.yaml');
    expect(() => writeSettings(file, read({}), { force: false })).toThrow(/can't write .*folder\.yaml/);
  });
});
