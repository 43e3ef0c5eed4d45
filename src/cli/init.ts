import type { Command } from 'commander';
import { exitCodes } from '../errors.ts';
import { initialise, tearDown } from '../setup.ts';
import type { Act } from './context.ts';

export function defineInit(program: Command, act: Act): void {
  program
    .command('init')
    .description('create publication and slot, and check that the server can be tailed')
    .option('--create-table', 'create the audit log too, where there is none')
    .action(
      act(async ({ config, json, print, note }, { createTable = false }: { createTable?: boolean }) => {
        const { created, rowsBefore } = await initialise(config, { createTable });
        if (json) {
          print(JSON.stringify({ created, rowsBefore }));
          return exitCodes.ok;
        }
        print(created.length === 0 ? 'nothing to do: publication and slot are there' : `created ${created.join(', ')}`);
        if (rowsBefore === null || rowsBefore > 0) {
          note(
            `${rowsBefore?.toLocaleString('en') ?? 'many'} rows are in the table already: \`run\` reads what comes from now on, \`run --from beginning\` these too, \`compile\` some of them without a slot`,
          );
        }
        note('from now on the server keeps WAL for the slot: start `run` soon, or drop it with `teardown`');
        return exitCodes.ok;
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
