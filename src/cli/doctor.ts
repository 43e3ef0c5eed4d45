import type { Command } from 'commander';
import { type Check, sentenceOf } from '../checks.ts';
import { type Examined, examineAll, exitCodeOf } from '../doctor.ts';
import type { Act, CommandContext } from './context.ts';
import { counted } from './figures.ts';
import { table } from './table.ts';

export function defineDoctor(program: Command, act: Act): void {
  program
    .command('doctor')
    .description('look at everything that a capture needs, say what is wrong and what mends it; changes nothing')
    .action(
      act(async (context) => {
        const found: Check[] = [];
        for await (const examined of examineAll(context.config)) {
          found.push(...examined.checks);
          show(examined, context);
        }
        context.note(summary(found));
        return exitCodeOf(found);
      }),
    );
}

const marks = { ok: 'ok', warning: 'warning', failure: 'FAILURE' };

function show({ part, checks }: Examined, { json, print }: CommandContext): void {
  if (json) {
    for (const { name, outcome, sentence, remedy } of checks) {
      print(JSON.stringify({ part, name, outcome, sentence, remedy }));
    }
    return;
  }
  const wide = process.stdout.isTTY === true;
  const rows = checks.map((check) => [marks[check.outcome], check.name, sentenceOf(check)]);
  print(wide ? table([part, '', ''], rows) : rows.map(([mark, name, said]) => `${mark} ${name}: ${said}`).join('\n'));
}

function summary(checks: Check[]): string {
  const of = (outcome: Check['outcome']) => checks.filter((check) => check.outcome === outcome).length;
  const [failures, warnings] = [of('failure'), of('warning')];
  if (failures + warnings === 0) return `${counted(checks.length, 'check')}: nothing to mend`;
  return `${counted(checks.length, 'check')}: ${counted(failures, 'failure')}, ${counted(warnings, 'warning')}`;
}
