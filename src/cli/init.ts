import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type ExitCode, exitCodes, stop } from '../errors.ts';
import { type AdministratorSql, administratorSql } from '../init/administrator.ts';
import { defaultSettingsFile, refuseExisting, type WrittenFiles, writeSettings } from '../init/settings-file.ts';
import { askOnTerminal } from '../init/terminal-ask.ts';
import { askForPlan, type Plan, type ServerTask } from '../init/wizard.ts';
import { type InitResult, initialise, tearDown } from '../setup.ts';
import { urlOf } from '../stages.ts';
import type { Act, CommandContext } from './context.ts';
import { leaveSoon } from './signals.ts';

interface Options {
  createTable?: boolean;
  write?: string | true;
  force?: boolean;
  printSql?: boolean;
  forRole?: string;
  run: boolean;
  ask?: boolean;
  yes?: boolean;
}

export function defineInit(program: Command, act: Act): void {
  program
    .command('init')
    .description(
      'create publication and slot, and check that the server can be tailed; on a terminal, without settings, asks for them first',
    )
    .option('--create-table', 'create the audit log too, where there is none')
    .option(
      '--write [file]',
      `write the settings to a file (default: ${defaultSettingsFile}), and its JSON Schema beside it`,
    )
    .option('--force', 'with --write: replace a file that is there, and keep a copy (.bak)')
    .option('--print-sql', 'create nothing: print what an administrator of the server has to run')
    .option('--for-role <name>', 'with --print-sql: the role that the capture will log in as')
    .option('--no-run', 'with --write: leave the server alone')
    .option('--ask', 'ask, even where settings are given')
    .option('--yes', 'ask nothing')
    .action(
      act(async (context, options: Options) => {
        const { config: given } = program.opts<{ config?: string }>();
        const usual = given ?? defaultSettingsFile;
        if (wantsQuestions(context, options)) return await asked(context, options, fileOf(options) ?? usual);
        refuseIdle(options);
        const file = options.write === true ? usual : options.write;
        const plan: Plan = {
          loaded: context.loaded,
          createTable: options.createTable === true,
          server: taskOf(options),
        };
        return await carryOut(context, plan, { file, force: options.force === true, role: options.forRole });
      }),
    );

  program
    .command('teardown')
    .description('drop slot and publication: an abandoned slot fills the disk of its server')
    .action(
      act(async ({ config, json, print }) => {
        const { dropped } = await tearDown(config);
        if (json) print(JSON.stringify({ dropped }));
        else print(dropped.length === 0 ? 'nothing to drop' : `dropped ${dropped.join(', ')}`);
        return exitCodes.ok;
      }),
    );
}

const fileOf = ({ write }: Options) => (typeof write === 'string' ? write : undefined);

/** @throws OperatorError where all that is left to do is ruled out. */
function taskOf({ printSql, run, write }: Options): ServerTask {
  if (printSql === true) return 'print';
  if (run) return 'create';
  if (write !== undefined) return 'nothing';
  throw stop('usage', '--no-run leaves nothing to do: it goes with --write', { exitCode: exitCodes.usage });
}

/** @throws OperatorError where an option says something about what is not done. */
function refuseIdle({ force, write, forRole, printSql }: Options): void {
  const idle = (option: string, other: string) =>
    stop('usage', `${option} says nothing without ${other}`, { exitCode: exitCodes.usage });
  if (force === true && write === undefined) throw idle('--force', '--write');
  if (forRole !== undefined && printSql !== true) throw idle('--for-role', '--print-sql');
}

/** On a terminal, where nothing says yet which server is meant; never where a script waits for JSON. */
function wantsQuestions({ config, loaded, json }: CommandContext, { ask, yes, printSql, write }: Options): boolean {
  const terminal = process.stdin.isTTY === true && process.stderr.isTTY === true;
  if (!terminal || json || yes === true) return false;
  if (ask === true) return true;
  const settled =
    existsSync(defaultSettingsFile) || Object.values(loaded.origins).some((from) => from.startsWith('file'));
  return !settled && config['postgres.url'] === null && printSql !== true && write === undefined;
}

async function asked(context: CommandContext, options: Options, file: string): Promise<ExitCode> {
  const ask = askOnTerminal(process.stdin, process.stderr, context.drain);
  const plan = await askForPlan(ask, context.loaded, file).finally(() => {
    if (context.drain.aborted) leaveSoon();
  });
  return await carryOut(context, plan, { file, force: true, role: options.forRole });
}

interface Target {
  /** The settings file to write; undefined for none. */
  file: string | undefined;
  force: boolean;
  role: string | undefined;
}

/** Writes before it creates: what was answered is not lost where the server refuses. */
async function carryOut(context: CommandContext, plan: Plan, { file, force, role }: Target): Promise<ExitCode> {
  const { json, print, note } = context;
  const { loaded, createTable, server } = plan;
  if (server === 'create') urlOf(loaded.config);
  if (file !== undefined) refuseExisting(file, loaded, force);
  const script = server === 'print' ? await administratorSql(loaded.config, { role, createTable }) : null;
  const written = file === undefined ? null : writeSettings(file, loaded, { force });
  if (written !== null && !json) note(writtenText(written));
  const result = server === 'create' ? await initialise(loaded.config, { createTable }) : null;
  if (json) {
    const files = written === null ? {} : { written: [written.file, written.schema], backup: written.backup };
    print(JSON.stringify({ ...result, ...script, ...files }));
    return exitCodes.ok;
  }
  if (script !== null) tellScript(context, script);
  else tellOutcome(context, result);
  return exitCodes.ok;
}

/** It ends with what comes next itself. */
function tellScript({ print, note }: CommandContext, { sql, unasked }: AdministratorSql): void {
  print(sql.trimEnd());
  if (unasked !== null) note(`warning: ${unasked}; the SQL says what is always needed`);
}

function tellOutcome({ config, print, note }: CommandContext, result: InitResult | null): void {
  if (result !== null) {
    const { created } = result;
    print(created.length === 0 ? 'nothing to do: publication and slot are there' : `created ${created.join(', ')}`);
    note('from now on the server keeps WAL for the slot: start `run` soon, or drop it with `teardown`');
  }
  for (const line of nextSteps(config['postgres.url'] === null, result)) note(line);
}

function writtenText({ file, schema, backup }: WrittenFiles): string {
  return `wrote ${file}, and ${schema} for editors${backup === null ? '' : `; what was there before is in ${backup}`}`;
}

/** One line each. @param result null where nothing was created. */
function nextSteps(urlIsNowhere: boolean, result: InitResult | null): string[] {
  const steps = [
    ['doctor', 'looks at everything that a capture needs'],
    ['run', 'reads what is written from now on'],
  ];
  if (urlIsNowhere) steps.unshift(['TC_POSTGRES_URL=…', 'first: the connection string, which is written into no file']);
  if (result === null) steps.splice(-1, 0, ['init', 'creates publication and slot']);
  else if (result.rowsBefore !== 0) {
    const rows = result.rowsBefore === null ? 'many' : result.rowsBefore.toLocaleString('en');
    steps.push(
      ['run --from beginning', `reads the rows that are in the table already, too: ${rows}`],
      ['compile', 'takes some of them, without a slot'],
    );
  }
  return ['next:', ...steps.map(([step = '', what = '']) => `  ${step.padEnd(22)}${what}`)];
}
