import { type Command, Option } from 'commander';
import { type Check, sentenceOf } from '../checks.ts';
import { terminalOf } from '../dataset/terminal.ts';
import { examineAll, exitCodeOf } from '../doctor/examine.ts';
import type { Examined } from '../doctor/parts.ts';
import { marks, renderPart } from '../doctor/render.ts';
import { type ExitCode, exitCodes, type OperatorError } from '../errors.ts';
import type { Act, CommandContext, Saying } from './context.ts';
import { counted } from './figures.ts';
import { leaveSoon } from './signals.ts';

const help = `
Exit codes: 0 where nothing or warnings alone were found; 3 where something has to be changed; 5 where all that is wrong
is that something is away just now (Postgres, Kafka, a model, a store, a sink); 6 where it was stopped before the end.`;

export function defineDoctor(program: Command, act: Act): void {
  program
    .command('doctor')
    .description(
      'look at everything that can stop a run before it starts, say what is wrong and what mends it; changes nothing',
    )
    .addOption(
      new Option(
        '--probe',
        'send each model one tiny question, of less than one US cent; under a cap it is counted in the budget, which is made in dataDir where it is missing',
      ),
    )
    .addHelpText('after', help)
    .action(
      act(async (context, { probe = false }: { probe?: boolean }) => await look(context, probe), {
        stopping: null,
        withoutSettings: sayUnread,
      }),
    );
}

/** Settings are what everything else is looked at by. */
function sayUnread({ code, message, exitCode }: OperatorError, saying: Saying): ExitCode {
  const check: Check = { name: code, outcome: 'failure', sentence: message, remedy: null, exitCode };
  show({ part: 'settings', checks: [check] }, saying);
  saying.note('1 check: 1 failure; nothing else is looked at before the settings can be read');
  return exitCode;
}

async function look(context: CommandContext, probe: boolean): Promise<ExitCode> {
  const { loaded, version, drain, note } = context;
  const found: Examined[] = [];
  const visit = { loaded, version, env: process.env, probe, drain };
  for await (const examined of examineAll(visit, (part) => announce(part, context))) {
    found.push(examined);
    show(examined, context);
  }
  if (drain.aborted) {
    note('stopped: what is not said here was not looked at');
    leaveSoon();
    return exitCodes.partial;
  }
  const checks = found.flatMap((part) => part.checks);
  note(summary(checks));
  if (found.some(({ givenUp }) => givenUp)) leaveSoon();
  return exitCodeOf(checks);
}

/** Nobody is to wait in silence. */
function announce(part: string, { note, json }: CommandContext): void {
  if (!json && process.stderr.isTTY === true) note(`looking at ${part} …`);
}

function show(examined: Pick<Examined, 'part' | 'checks'>, { json, print }: Saying): void {
  const { part, checks } = examined;
  if (json) {
    for (const { name, outcome, sentence, remedy } of checks) {
      print(JSON.stringify({ part, name, outcome, sentence, remedy }));
    }
  } else if (process.stdout.isTTY === true && checks.length > 0) {
    print(renderPart(examined, terminalOf(process.stdout, process.env.NO_COLOR)));
  } else for (const check of checks) print(`${marks[check.outcome]} ${check.name}: ${sentenceOf(check)}`);
}

function summary(checks: Check[]): string {
  const of = (outcome: Check['outcome']) => checks.filter((check) => check.outcome === outcome).length;
  const [failures, warnings] = [of('failure'), of('warning')];
  if (failures + warnings === 0) return `${counted(checks.length, 'check')}: nothing to mend`;
  return `${counted(checks.length, 'check')}: ${counted(failures, 'failure')}, ${counted(warnings, 'warning')}`;
}
