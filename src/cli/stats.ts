import type { Command } from 'commander';
import { openDataset } from '../dataset/open.ts';
import { renderStats } from '../dataset/render-stats.ts';
import { datasetStats } from '../dataset/stats.ts';
import { terminalOf } from '../dataset/terminal.ts';
import { exitCodes } from '../errors.ts';
import { settledAgainstEstimate } from '../estimate/recorded.ts';
import { filesOf } from '../stages.ts';
import type { Act } from './context.ts';

export function defineStats(program: Command, act: Act): void {
  program
    .command('stats')
    .description('the dataset in figures: pairs, sessions, rejections, cost')
    .action(
      act(
        async ({ config, json, print }) => {
          const db = openDataset(filesOf(config).dataset);
          try {
            const { prices, 'compile.windowTokens': windowTokens } = config;
            const stats = { ...datasetStats(db), settled: settledAgainstEstimate(db, { prices, windowTokens }) };
            print(json ? JSON.stringify(stats) : renderStats(stats, terminalOf(process.stdout, process.env.NO_COLOR)));
          } finally {
            db.close();
          }
          return exitCodes.ok;
        },
        { endsAtOnce: true },
      ),
    );
}
