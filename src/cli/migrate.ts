import type { Command } from 'commander';
import { exitCodes } from '../errors.ts';
import { migrateMirror, migrationScript } from '../migrations.ts';
import type { Act } from './context.ts';

export function defineMigrate(program: Command, act: Act): void {
  program
    .command('migrate')
    .description("create the dataset's tables in the Supabase or Postgres database that mirrors it")
    .option('--print-sql', 'print the SQL instead')
    .action(
      act(async ({ config, json, print }, { printSql = false }: { printSql?: boolean }) => {
        if (printSql) {
          print(migrationScript(config['supabase.schema']));
          return exitCodes.ok;
        }
        const result = await migrateMirror(config);
        if (json) print(JSON.stringify(result));
        else if (result.applied.length === 0) print(`nothing to do: schema ${result.schema} has every migration`);
        else print(`applied ${result.applied.join(', ')} to schema ${result.schema}`);
        return exitCodes.ok;
      }),
    );
}
