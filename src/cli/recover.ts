import type { Command } from 'commander';
import { recover } from '../recovering.ts';
import type { ChangedRows } from '../requests.ts';
import { backfillExitCode, backfillText, changedOption, parseDate, showBackfill } from './backfill.ts';
import type { Act } from './context.ts';

interface RecoverFlags {
  since?: string;
  former?: string[];
  changed: ChangedRows;
}

export function defineRecover(program: Command, act: Act): void {
  program
    .command('recover')
    .description(
      'after a lost, dropped or moved slot: make a new one, and take in from the table what was committed meanwhile',
    )
    .option('--since <date>', 'look at no row that is older; default: every row of the table', parseDate)
    .option(
      '--former <dir>',
      'dataDir of a capture that has ended and whose sessions this one goes on with, as when --shard i/n gets another n; several times',
      (dir: string, before: string[] = []) => [...before, dir],
    )
    .addOption(changedOption())
    .action(
      act(
        async (
          { config, log, version, json, print, note, drain, abort },
          { since, former = [], changed }: RecoverFlags,
        ) => {
          const progress = showBackfill(note);
          try {
            const options = { config, log, version, drain, abort, onProgress: progress.show };
            const { reason, position, rows } = await recover(
              { since: since ?? null, until: null, changed },
              former,
              options,
            );
            progress.stop();
            if (json) print(JSON.stringify({ reason, position, ...rows }));
            else {
              note(`mended: ${reason}`);
              print(`${backfillText(rows, changed)}; \`trajectory-compiler run\` goes on from there`);
            }
            return backfillExitCode(rows, changed);
          } finally {
            progress.stop();
          }
        },
      ),
    );
}
