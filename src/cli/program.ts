/** The command line: its commands, the settings as flags, and how an error becomes a sentence and an exit code. */
import { Command, CommanderError, Option } from 'commander';
import { environmentName, flagName, loadConfig, settingNames } from '../config.ts';
import { type ExitCode, exitCodes, messageOf, OperatorError } from '../errors.ts';
import { createLogger } from '../log.ts';
import type { Setting } from '../setting-kinds.ts';
import { type SettingName, settings } from '../settings.ts';
import { defineBackfill } from './backfill.ts';
import { defineCompile } from './compile.ts';
import { defineConfig } from './config-print.ts';
import type { Act, Action, ActOptions, CommandContext } from './context.ts';
import { defineDemo } from './demo.ts';
import { defineDlq } from './dlq.ts';
import { defineDoctor } from './doctor.ts';
import { defineEstimate } from './estimate.ts';
import { defineExtract } from './extract.ts';
import { defineFill } from './fill.ts';
import { defineInit } from './init.ts';
import { defineLoad } from './load.ts';
import { defineMigrate } from './migrate.ts';
import { defineReconcile } from './reconcile.ts';
import { defineRecover } from './recover.ts';
import { defineRedact } from './redact.ts';
import { defineRun } from './run.ts';
import { defineSample } from './sample.ts';
import { listenForStop, unheardStop } from './signals.ts';
import { defineStats } from './stats.ts';
import { defineStatus } from './status.ts';
import { clearStatus } from './status-line.ts';
import { defineVerify } from './verify.ts';

const commands = [
  defineDemo,
  defineInit,
  defineDoctor,
  defineRun,
  defineStatus,
  defineBackfill,
  defineRecover,
  defineReconcile,
  defineEstimate,
  defineExtract,
  defineCompile,
  defineLoad,
  defineStats,
  defineSample,
  defineVerify,
  defineDlq,
  defineMigrate,
  defineFill,
  defineRedact,
  defineConfig,
];

export interface Terminal {
  env: Record<string, string | undefined>;
  out: (text: string) => void;
  err: (text: string) => void;
  version: string;
}

/** Runs one command line, without the program's own name; resolves with the exit code. */
export async function runCommandLine(args: string[], terminal: Terminal): Promise<ExitCode> {
  const state: { exitCode: ExitCode } = { exitCode: exitCodes.ok };
  const program = createProgram(terminal, state);
  try {
    await program.parseAsync(args, { from: 'user' });
    return state.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    terminal.err(`${explain(error)}\n`);
    return error instanceof OperatorError ? error.exitCode : exitCodes.failed;
  }
}

/** An operator's error is a sentence of its own; anything else is a fault of ours and shows where it happened. */
function explain(error: unknown): string {
  if (error instanceof OperatorError) return `error: ${error.message}`;
  return `unexpected error: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}`;
}

function createProgram(terminal: Terminal, state: { exitCode: ExitCode }): Command {
  const program = new Command('trajectory-compiler')
    .description(
      'Turns the Postgres audit log of running agents into a verified long-context QA dataset, as it is written.',
    )
    .version(terminal.version)
    .option('--config <file>', 'settings file (default: trajectory-compiler.yaml, where there is one)')
    .option('--json', 'data as JSON on stdout')
    .exitOverride()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .showSuggestionAfterError()
    .showHelpAfterError('--help says what there is')
    .addHelpText('after', '\nSettings are flags of every command: `trajectory-compiler config print` lists them.');
  for (const name of settingNames) program.addOption(settingOption(name));
  const act = actWith(program, terminal, state);
  for (const define of commands) define(program, act);
  for (const command of program.commands) command.addHelpText('after', settingsHelp);
  return program;
}

const settingsHelp =
  '\nAlso --json, --config <file>, and every setting as a flag, such as --min-turns 5 or --data-dir ./data:\n`trajectory-compiler config print` lists them.';

/** Every setting is a flag; only those that have a short form stand in the help. */
function settingOption(name: SettingName): Option {
  const { sentence, shortFlag, repeatable } = settings[name] as Setting<unknown>;
  const flags = shortFlag === undefined ? flagName(name) : `${shortFlag}, ${flagName(name)}`;
  const option = new Option(`${flags} <value>`, `${sentence} [${name}, ${environmentName(name)}]`);
  if (repeatable) option.argParser((word, before?: string) => (before === undefined ? word : `${before},${word}`));
  return shortFlag === undefined ? option.hideHelp() : option;
}

function actWith(program: Command, terminal: Terminal, state: { exitCode: ExitCode }): Act {
  return <O, A extends string[]>(action: Action<O, A>, more: ActOptions = {}) =>
    async (...given: unknown[]) => {
      // Commander hands over the arguments, then the options, then the command.
      const args = given.slice(0, -2) as A;
      const options = given.at(-2) as O;
      const context = contextOrNull(program, terminal, more, state);
      if (context === null) return;
      try {
        state.exitCode = await action(context.context, options, ...args);
      } finally {
        context.release();
      }
    };
}

/** Null where the settings can't be read and the command has said so itself. */
function contextOrNull(program: Command, terminal: Terminal, more: ActOptions, state: { exitCode: ExitCode }) {
  try {
    return createContext(program, terminal, more);
  } catch (error) {
    if (more.withoutSettings === undefined || !(error instanceof OperatorError)) throw error;
    state.exitCode = more.withoutSettings(error, {
      json: program.opts<{ json?: boolean }>().json === true,
      print: (line) => terminal.out(`${line}\n`),
      note: (line) => terminal.err(`${line}\n`),
    });
    return null;
  }
}

function createContext(
  program: Command,
  { env, out, err, version }: Terminal,
  { stopping, endsAtOnce = false }: ActOptions,
): { context: CommandContext; release: () => void } {
  const given = program.opts<Record<string, unknown>>();
  const loaded = loadConfig({
    env,
    flags: flagsOf(program),
    ...(typeof given.config === 'string' ? { file: given.config } : {}),
  });
  const note = (line: string) => {
    clearStatus();
    err(`${line}\n`);
  };
  for (const warning of loaded.warnings) note(`warning: ${warning}`);
  const { drain, abort, release } = endsAtOnce ? unheardStop() : listenForStop(note, stopping);
  const logged = { warn: 0, error: 0 };
  const context: CommandContext = {
    config: loaded.config,
    loaded,
    log: createLogger(loaded.config['log.level'], { beforeLine: clearStatus, logged }),
    logged,
    version,
    json: given.json === true,
    print: (line) => out(`${line}\n`),
    note,
    drain,
    abort,
  };
  return { context, release };
}

function flagsOf(program: Command): Partial<Record<SettingName, string>> {
  const flags: Partial<Record<SettingName, string>> = {};
  for (const name of settingNames) {
    const value = program.getOptionValue(attributeOf(name)) as string | undefined;
    if (value !== undefined) flags[name] = value;
  }
  return flags;
}

const attributeOf = (name: SettingName): string => new Option(`${flagName(name)} <value>`).attributeName();
