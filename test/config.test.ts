import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentName, flagName, loadConfig, settingNames, shownValue } from '../src/config.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tc-config-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function yaml(text: string): string {
  const path = join(dir, `${Math.random().toString(36).slice(2)}.yaml`);
  writeFileSync(path, text);
  return path;
}

const nothing = { env: {}, flags: {} };

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('settings', () => {
  it('have a default each, and a name in the environment and on the command line', () => {
    const { config, origins } = loadConfig({ ...nothing, file: yaml('') });
    expect(config['session.idleTimeout']).toBe(600_000);
    expect(config['session.minTurns']).toBe(10);
    expect(config['compile.tier']).toBe('rules');
    expect(new Set(Object.values(origins))).toEqual(new Set(['default']));
    expect(environmentName('session.idleTimeout')).toBe('TC_SESSION_IDLE_TIMEOUT');
    expect(environmentName('dataDir')).toBe('TC_DATA_DIR');
    expect(flagName('postgres.url')).toBe('--postgres-url');
    expect(new Set(settingNames.map(environmentName)).size).toBe(settingNames.length);
  });

  it('take a flag before the environment before the file', () => {
    const file = yaml('session: {idleTimeout: 1m, minTurns: 3}\ndataDir: /tmp/from-file\n');
    const env = { TC_SESSION_IDLE_TIMEOUT: '2m', TC_SESSION_MIN_TURNS: '4' };
    const { config, origins } = loadConfig({ env, flags: { 'session.idleTimeout': '3m' }, file });
    expect(config['session.idleTimeout']).toBe(180_000);
    expect(config['session.minTurns']).toBe(4);
    expect(config.dataDir).toBe('/tmp/from-file');
    expect(origins['session.minTurns']).toBe('environment (TC_SESSION_MIN_TURNS)');
  });

  it('are each named with path, place and what is allowed when they are wrong', () => {
    const file = yaml('session: {minTurns: many, idleTimeout: 10}\ncompile: {tier: best}\n');
    const load = () => loadConfig({ env: { TC_METRICS_PORT: '99999' }, flags: {}, file });
    expect(load).toThrow(/4 settings are wrong/);
    expect(load).toThrow(/session\.minTurns must be a whole number of at least 2, not "many" \(file \(.*\.yaml\)\)/);
    expect(load).toThrow(/session\.idleTimeout must be a duration such as/);
    expect(load).toThrow(/compile\.tier must be one of rules, cheap, strong, not "best"/);
    expect(load).toThrow(
      /metrics\.port must be a whole number from 0 to 65535, not "99999" \(environment \(TC_METRICS_PORT\)\)/,
    );
  });

  it('that contradict each other are named', () => {
    const env = { TC_SESSION_MIN_TURNS: '30', TC_SESSION_MAX_TURNS: '20' };
    expect(() => loadConfig({ env, flags: {}, file: yaml('') })).toThrow(
      /session\.maxTurns must be at least session\.minTurns \(30\), not 20/,
    );
  });

  it('that do not exist are refused in the file, with the one that was meant', () => {
    expect(() => loadConfig({ ...nothing, file: yaml('session: {idleTimout: 10m}\n') })).toThrow(
      /session\.idleTimout is no setting.*did you mean session\.idleTimeout\?/,
    );
  });

  it('that do not exist in the environment are a warning, since the prefix is not ours alone', () => {
    const { warnings } = loadConfig({ env: { TC_SESION_MIN_TURNS: '4' }, flags: {}, file: yaml('') });
    expect(warnings).toEqual([expect.stringContaining('TC_SESION_MIN_TURNS is set, but there is no such setting')]);
  });

  it('that are lists are YAML in the file and JSON in the environment', () => {
    const rule = { column: 'agent', equals: 'compiler' };
    const fromFile = loadConfig({
      ...nothing,
      file: yaml('capture: {exclude: [{column: agent, equals: compiler}]}\n'),
    });
    const fromEnv = loadConfig({ env: { TC_CAPTURE_EXCLUDE: JSON.stringify([rule]) }, flags: {}, file: yaml('') });
    expect(fromFile.config['capture.exclude']).toEqual([rule]);
    expect(fromEnv.config['capture.exclude']).toEqual([rule]);
    expect(() => loadConfig({ env: { TC_CAPTURE_EXCLUDE: '[{' }, flags: {}, file: yaml('') })).toThrow(
      /capture\.exclude must be a list of \{column, equals\}/,
    );
  });

  it('that are secret may come from a file named in the environment', () => {
    const secret = join(dir, 'url');
    writeFileSync(secret, 'postgres://u:not-a-real-password@127.0.0.1/db\n');
    const loaded = loadConfig({ env: { TC_POSTGRES_URL_FILE: secret }, flags: {}, file: yaml('') });
    expect(loaded.config['postgres.url']).toBe('postgres://u:not-a-real-password@127.0.0.1/db');
  });

  it('that are secret are never shown', () => {
    const env = {
      TC_POSTGRES_URL: 'postgres://u:not-a-real-p@ssword@127.0.0.1/db?password=not-a-real-one',
      GEMINI_API_KEY: 'not-a-real-key',
    };
    const loaded = loadConfig({ env, flags: {}, file: yaml('') });
    const shown = settingNames.map((name) => shownValue(name, loaded)).join('\n');
    expect(shown).toContain('postgres://u:***@127.0.0.1/db');
    expect(shown).not.toMatch(/not-a-real|ssword@/);
    expect(() => loadConfig({ env: { TC_GEMINI_API_KEY_FILE: '/no/such/file' }, flags: {}, file: yaml('') })).toThrow(
      /TC_GEMINI_API_KEY_FILE: can't read \/no\/such\/file/,
    );
  });

  it('may be a group of which every one is commented out, and no value in place of a group', () => {
    expect(
      loadConfig({ ...nothing, file: yaml('session:\n  # minTurns: 3\ncompile:\n') }).config['session.minTurns'],
    ).toBe(10);
    expect(() => loadConfig({ ...nothing, file: yaml('session: 10m') })).toThrow(
      /session is a group of settings, such as session\./,
    );
    expect(() => loadConfig({ ...nothing, file: yaml('- 10m') })).toThrow(/must hold settings such as session: \{/);
  });

  it('show no password, neither of a file that is not YAML nor of text that is no URL', () => {
    const broken = yaml('postgres:\n  url: "postgres://u:not-a-real-password@127.0.0.1/db" x\n');
    const message = messageOf(() => loadConfig({ ...nothing, file: broken }));
    expect(message).toMatch(/can't be read: .* at line 2/);
    expect(message).not.toContain('not-a-real-password');
    const loaded = loadConfig({
      ...nothing,
      flags: { 'postgres.url': 'u:not-a-real-password@127.0.0.1/db' },
      file: yaml(''),
    });
    expect(shownValue('postgres.url', loaded)).toBe('(set)');
  });

  it('show no credentials of an address, secret or not', () => {
    const env = { TC_OPENAI_BASE_URL: 'https://me:not-a-real-password@llm.example.com/v1?api_key=not-a-real-key&n=1' };
    const loaded = loadConfig({ env, flags: {}, file: yaml('') });
    expect(shownValue('openai.baseUrl', loaded)).toBe('https://***@llm.example.com/v1?api_key=***&n=1');
  });

  it('warn about a password in the settings file', () => {
    const file = yaml('postgres: {url: "postgres://u:not-a-real-password@127.0.0.1/db"}\n');
    const { warnings } = loadConfig({ ...nothing, file });
    expect(warnings).toEqual([expect.stringContaining('keep it in TC_POSTGRES_URL')]);
    expect(warnings.join()).not.toContain('not-a-real-password');
  });
});
