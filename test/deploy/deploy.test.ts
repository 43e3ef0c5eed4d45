import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { environmentName, flagName, loadConfig, settingNames } from '../../src/config.ts';
import { exitCodes } from '../../src/errors.ts';
import { type SettingName, settings } from '../../src/settings.ts';
import { composeUnits, kubernetesUnits, ourImage, repository, type Unit } from './deployed.ts';
import { dockerfile, environmentOf } from './dockerfile.ts';

const imageEnvironment = environmentOf(dockerfile());
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
const units = [...composeUnits(), ...kubernetesUnits()];
const oursAmong = (some: Unit[]) => some.filter(({ image }) => image.startsWith(`${ourImage}:`));
const ours = oursAmong(units);
const settingOf = new Map(settingNames.map((name) => [environmentName(name), name]));

test('compose and Kubernetes run the program in every role, and the steps before', () => {
  const lines = (some: Unit[]) => new Set(oursAmong(some).map(({ args }) => args.join(' ')));
  const roles = ['run --role capture', 'run --role compile', 'run --role sink', 'migrate'];
  expect(lines(kubernetesUnits())).toEqual(new Set(roles));
  expect(lines(composeUnits())).toEqual(
    new Set([...roles, 'run', 'init --create-table', 'load /demo/rows.jsonl --speed 20']),
  );
});

test('every image is pinned to a full version, and ours to that of package.json', () => {
  for (const { name, image } of units) {
    const tag = image.split(':')[1] ?? '';
    expect(tag, `${name}: ${image}`).toMatch(/^v?\d+\.\d+(\.\d+)?(-[a-z-]+)?$/);
    if (image.startsWith(ourImage)) expect(image).toBe(`${ourImage}:${version}`);
  }
});

describe('the settings of', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tc-deploy-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(ours.map((unit) => [unit.name, unit] as const))('%s are settings, with values they allow', (_, unit) => {
    const env: Record<string, string> = { ...imageEnvironment, ...unit.env };
    for (const [variable, path] of Object.entries(env)) {
      if (!variable.endsWith('_FILE')) continue;
      expect([...unit.secrets.keys()], `${unit.name}: ${variable}`).toContain(path);
      const copy = join(folder, path.replaceAll('/', '-'));
      writeFileSync(copy, unit.secrets.get(path) ?? '');
      env[variable] = copy;
    }
    const { warnings, config } = loadConfig({ env, flags: flagsOf(unit.args) });
    expect(warnings).toEqual([]);
    expect(config.dataDir).toBe('/data');
    expect(config['metrics.host']).toBe('0.0.0.0');
  });

  test.each(ours.map((unit) => [unit.name, unit] as const))('%s hold no secret but in files', (_, { env, args }) => {
    for (const [variable, value] of Object.entries(env)) {
      const name = settingOf.get(variable);
      if (name !== undefined) expect((settings[name] as { secret?: boolean }).secret, variable).not.toBe(true);
      expect(value, variable).not.toMatch(/:\/\/[^/@]*:[^/@]*@/);
    }
    for (const name of Object.keys(flagsOf(args)) as SettingName[])
      expect((settings[name] as { secret?: boolean }).secret, name).not.toBe(true);
  });

  test.each(ours.map((unit) => [unit.name, unit] as const))('%s name every secret that is mounted', (_, unit) => {
    expect(new Set(Object.values(unit.env).filter((value) => value.startsWith('/run/')))).toEqual(
      new Set(unit.secrets.keys()),
    );
  });
});

test('no secret in these files could be taken for a real one', () => {
  for (const { name, secrets } of units)
    for (const [path, content] of secrets) expect(content, `${name} ${path}`).toContain('change-me');
});

describe('the command line of', () => {
  const commandLines = [...new Set(ours.map(({ args }) => args.join(' ')))];

  test.each(commandLines)('%s is one that the program knows', async (line) => {
    // The last option is unknown, so nothing runs; what comes before it was accepted if this is what is complained of.
    const complaint = await complaintAbout([...line.split(' '), '--no-such-option']);
    expect(complaint).toContain("unknown option '--no-such-option'");
  });

  test('another one is refused', async () => {
    expect(await complaintAbout(['no-such-command', '--no-such-option'])).not.toContain('--no-such-option');
    expect(await complaintAbout(['init', '--no-table', '--no-such-option'])).not.toContain('--no-such-option');
  });
});

async function complaintAbout(args: string[]): Promise<string> {
  let said = '';
  const keep = (text: string) => {
    said += text;
  };
  const code = await runCommandLine(args, { env: {}, out: keep, err: keep, version: '0' });
  expect(code).toBe(exitCodes.usage);
  return said.split('\n')[0] ?? '';
}

/** The settings among the flags of a command line. */
function flagsOf(args: string[]): Partial<Record<SettingName, string>> {
  const flags: Partial<Record<SettingName, string>> = {};
  for (const name of settingNames) {
    const { shortFlag } = settings[name] as { shortFlag?: string };
    const at = args.findIndex((arg) => arg === flagName(name) || arg === shortFlag);
    if (at >= 0) flags[name] = args[at + 1] ?? '';
  }
  return flags;
}
