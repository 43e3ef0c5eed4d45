/**
 * What deploy/Dockerfile would put into the image, put together without an engine: its own COPY and RUN lines, in a folder
 * of their own. Two shortcuts: the compiler and its dependencies are those installed here, from the same lockfile, and
 * so is the binary of better-sqlite3, which takes more than a minute to compile.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { repository } from './deployed.ts';
import { all, dockerfile, environmentOf, finalStage, lineageOf, type Stage } from './dockerfile.ts';

const run = promisify(execFile);
const installTimeoutMs = 300_000;
const stages = dockerfile();
const rootOfApp = '/app';
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tc-image-'));
  await putTogether('build', (command) => (command.startsWith('npm ci') ? linkDependencies : command));
  await putTogether('production', (command) => (command.startsWith('npm ci') ? installProduction(command) : command));
  await putTogether('final', (command) => command);
}, installTimeoutMs);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Step = string | ((app: string) => Promise<void>);

/** Does what the stages of `name` do. Packages of the system and users are the engine's business. */
async function putTogether(name: string, instead: (command: string) => Step): Promise<void> {
  const app = join(folder, name);
  mkdirSync(app);
  for (const { keyword, rest } of lineageOf(stages, name).flatMap(({ instructions }) => instructions)) {
    if (keyword === 'COPY') copy(rest, app);
    if (keyword !== 'RUN' || !rest.startsWith('npm ')) continue;
    const step = instead(rest);
    if (typeof step === 'string') await run('sh', ['-c', step], { cwd: app });
    else await step(app);
  }
}

function copy(line: string, app: string): void {
  const [, stage, paths = ''] = /^(?:--from=(\S+) )?(.*)$/.exec(line) ?? [];
  const sources = paths.split(' ');
  const target = join(app, sources.pop() ?? '');
  for (const source of sources) {
    const from = stage === undefined ? join(repository, source) : join(folder, stage, source.replace(rootOfApp, ''));
    const whole = sources.length === 1 && !paths.endsWith('/');
    cpSync(from, whole ? target : join(target, basename(source)), { recursive: true });
  }
}

async function linkDependencies(app: string): Promise<void> {
  symlinkSync(join(repository, 'node_modules'), join(app, 'node_modules'));
}

const installProduction = (command: string) => async (app: string) => {
  await run('sh', ['-c', `${command} --ignore-scripts --prefer-offline`], { cwd: app });
  const binary = join('node_modules', 'better-sqlite3', 'build');
  cpSync(join(repository, binary), join(app, binary), { recursive: true });
};

const final = finalStage(stages);
const [entry = '', ...entryArgs] = JSON.parse(all(final, 'ENTRYPOINT')[0] ?? '[]') as string[];

async function runInImage(...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, ...environmentOf(stages), TC_DATA_DIR: join(folder, 'data') };
  const { stdout } = await run(entry, [...entryArgs, ...args], { cwd: join(folder, 'final'), env });
  return stdout;
}

test('the program starts with production dependencies alone, and says its version', async () => {
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
  expect((await runInImage('--version')).trim()).toBe(version);
});

test('it reads its settings from the environment of the image', async () => {
  const shown = JSON.parse(await runInImage('config', 'print', '--json')) as Record<string, { value: string }>;
  expect(shown['metrics.host']?.value).toBe('0.0.0.0');
});

test('every module of the program loads there', async () => {
  const modules = readdirSync(join(folder, 'final', 'dist'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.js') && file !== 'main.js')
    .map((file) => `./dist/${file}`);
  expect(modules.length).toBeGreaterThan(50);
  const load = `for (const file of ${JSON.stringify(modules)}) await import(file);`;
  await run('node', ['--input-type=module', '-e', load], { cwd: join(folder, 'final') });
});

test('nothing that only development needs is in it', () => {
  const { devDependencies, optionalDependencies } = JSON.parse(
    readFileSync(join(repository, 'package.json'), 'utf8'),
  ) as Record<'devDependencies' | 'optionalDependencies', Record<string, string>>;
  // Types come along with dependencies that are needed.
  const tools = Object.keys({ ...devDependencies, ...optionalDependencies }).filter(
    (name) => !name.startsWith('@types/'),
  );
  const there = tools.filter((name) => existsSync(join(folder, 'final', 'node_modules', name)));
  expect(there).toEqual([]);
  expect(readdirSync(join(folder, 'final')).sort()).toEqual(topLevelOf(final));
});

/** The names that the COPY lines of a stage make. */
function topLevelOf(stage: Stage): string[] {
  const lines = all(stage, 'COPY').map((line) => line.replace(/^--from=\S+ /, '').split(' '));
  const names = lines.flatMap((paths) => (paths.at(-1) === './' ? paths.slice(0, -1) : [paths.at(-1) ?? '']));
  return [...new Set(names.map((name) => name.replace('./', '').split('/')[0] ?? ''))].sort();
}
