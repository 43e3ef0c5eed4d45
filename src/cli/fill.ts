import { Argument, type Command } from 'commander';
import { count } from '../dataset/figures.ts';
import { exitCodes } from '../errors.ts';
import { type FillProgress, type FillResult, fillMirror } from '../filling.ts';
import type { Act } from './context.ts';
import { counted } from './figures.ts';
import { showStatus } from './status-line.ts';

const namedRefusals = 20;

export function defineFill(program: Command, act: Act): void {
  program
    .command('fill')
    .addArgument(new Argument('<sink>', 'where to').choices(['supabase']))
    .description('copy the dataset of dataDir into a sink that is new; safe to repeat, and beside `run`')
    .action(
      act(async ({ config, log, json, print, note, drain }, _options: object, _sink: string) => {
        let latest: FillProgress | null = null;
        const line = showStatus(() => (latest === null ? 'opening the dataset' : progressText(latest)));
        try {
          const onProgress = (progress: FillProgress) => {
            latest = progress;
          };
          const result = await fillMirror({ config, log, drain, onProgress });
          line.stop();
          print(json ? JSON.stringify(result) : resultText(result));
          for (const { table, key, reason } of result.refused.slice(0, namedRefusals)) {
            note(`refused: ${table} ${key} (${reason})`);
          }
          return drain.aborted || result.refused.length > 0 ? exitCodes.partial : exitCodes.ok;
        } finally {
          line.stop();
        }
      }),
    );
}

function progressText({ table, rows, total }: FillProgress): string {
  return `${table}: ${count(rows)} of ${counted(total, 'row')}`;
}

function resultText({ rows, refused }: FillResult): string {
  const tables = Object.entries(rows).map(([table, n]) => `${table} ${count(n)}`);
  return [...(tables.length === 0 ? ['the dataset is empty'] : tables), `refused ${count(refused.length)}`].join(' · ');
}
