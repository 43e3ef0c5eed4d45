import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { durationMs } from '../../src/setting-kinds.ts';
import { settings } from '../../src/settings.ts';
import { besideCompose, type Compose, defaultProfiles, deploy, ourImage, readCompose, readText } from './deployed.ts';

const compose = readCompose('compose.yaml');
const model = readCompose('compose.gemini.yaml');
const services = Object.entries(compose.services);

/** The services that run where these profiles are active. */
const active = (profiles: string[]) =>
  services.filter(([, { profiles: of }]) => of === undefined || of.some((profile) => profiles.includes(profile)));

const transports = [['embedded'], ['kafka'], ['mirror']];
const offered = [...transports, ...['demo', 'monitoring'].flatMap((more) => transports.map((one) => [...one, more]))];

test.each(offered.map((profiles) => [profiles.join(' and '), profiles] as const))(
  'with profile %s every service waits only for services that run too',
  (_, profiles) => {
    const running = active([...profiles]);
    const names = new Set(running.map(([name]) => name));
    for (const [name, { depends_on = {} }] of running)
      for (const other of Object.keys(depends_on)) expect([...names], `${name} depends on ${other}`).toContain(other);
    expect(running.filter(([, { command }]) => isCapture(command)).length).toBe(1);
  },
);

/** `run` without a role is all roles. */
const isCapture = (command: string[] = []) =>
  command[0] === 'run' && (!command.includes('--role') || command.includes('capture'));

test('without a profile given, everything runs in one process', () => {
  expect(offered).toContainEqual(defaultProfiles());
  const running = active(defaultProfiles()).map(([name]) => name);
  expect(running).toEqual(['postgres', 'init', 'roles', 'all']);
});

test('what must be done is waited for as done, and what must be up as healthy', () => {
  const conditions = services.flatMap(([, { depends_on = {} }]) => Object.entries(depends_on));
  for (const [name, { condition }] of conditions) {
    const keepsRunning = compose.services[name]?.restart === 'unless-stopped';
    expect(condition, name).toBe(keepsRunning ? 'service_healthy' : 'service_completed_successfully');
    if (keepsRunning) expect(compose.services[name], name).toHaveProperty('healthcheck');
  }
});

test('what runs is given the time that a model call in work may need', () => {
  const needed = settings['kafka.handoverTimeout'].fallback;
  for (const [name, { image, restart, stop_grace_period: grace = '10s' }] of services)
    if (image?.startsWith(ourImage) && restart === 'unless-stopped')
      expect(durationMs(grace), name).toBeGreaterThan(needed);
});

test('every file that is built from, mounted or kept secret is there, and every volume is declared', () => {
  const paths = [compose, model].flatMap(pathsOf);
  expect(paths.length).toBeGreaterThan(10);
  for (const path of paths) expect(existsSync(besideCompose(path)), path).toBe(true);
  for (const [name, { volumes = [] }] of services)
    for (const volume of volumes.map((mount) => mount.split(':')[0] ?? ''))
      if (!volume.startsWith('.')) expect(Object.keys(compose.volumes), name).toContain(volume);
});

function pathsOf({ services: some, secrets }: Compose): string[] {
  return [
    ...Object.values(secrets).map(({ file }) => file),
    ...Object.values(some).flatMap(({ build, volumes = [] }) => [
      ...volumes.map((mount) => mount.split(':')[0] ?? '').filter((path) => path.startsWith('.')),
      ...(build === undefined ? [] : [build.context, join(build.context, build.dockerfile)]),
    ]),
  ];
}

test('the secrets that services ask for are declared', () => {
  const declared = Object.keys({ ...compose.secrets, ...model.secrets });
  const asked = [compose, model].flatMap(({ services: some }) =>
    Object.values(some).flatMap(({ secrets = [] }) => secrets),
  );
  expect(new Set(asked)).toEqual(new Set(declared));
});

test('ports are published on this host only', () => {
  const published = [...readText('compose.yaml').matchAll(/- (\S+):\d+:\d+$/gm)].map(([, host]) => host);
  expect(published.length).toBeGreaterThan(0);
  for (const host of published) expect(host).toBe('127.0.0.1');
});

test('the script of the roles is one that sh can read, and its SQL files are there', () => {
  const script = join(deploy, 'compose', 'roles.sh');
  execFileSync('sh', ['-n', script]);
  const files = [...readText('compose', 'roles.sh').matchAll(/\$sql\/([a-z]+\.sql)/g)].map(([, file]) => file ?? '');
  expect(files).toEqual(['role.sql', 'reader.sql', 'calls.sql']);
  for (const file of files) expect(existsSync(join(deploy, 'postgres', file)), file).toBe(true);
});
