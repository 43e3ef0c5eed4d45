import type { Command } from 'commander';
import { count, usd } from '../dataset/figures.ts';
import { type ExitCode, exitCodes } from '../errors.ts';
import { type CompileProgress, compileExisting } from '../existing.ts';
import { filesOf } from '../stages.ts';
import { parseCount } from './arguments.ts';
import type { Act } from './context.ts';
import { counted } from './figures.ts';
import { mentionUnusedKey } from './run.ts';
import { showStatus } from './status-line.ts';

export function defineCompile(program: Command, act: Act): void {
  program
    .command('compile')
    .description('compile sessions that are in the table already, longest first; reads the table only, without a slot')
    .option('--limit <n>', 'how many sessions', parseCount, 25)
    .option('--force', 'compile what is in the dataset too')
    .action(
      act(async (context, { limit, force = false }: { limit: number; force?: boolean }) => {
        const { config, log, json, print, note, drain } = context;
        mentionUnusedKey(context);
        let latest: CompileProgress | null = null;
        const line = showStatus(() => (latest === null ? 'reading the table' : progressText(latest)));
        try {
          const onProgress = (progress: CompileProgress) => {
            latest = progress;
          };
          const result = await compileExisting({ config, limit, force, log, signal: drain, onProgress });
          line.stop();
          print(json ? JSON.stringify(result) : progressText(result));
          for (const [code, n] of Object.entries(result.failed)) note(`${counted(n, 'trajectory')} failed: ${code}`);
          note(`the dataset is ${filesOf(config).dataset}: see \`sample\` and \`stats\``);
          return exitCodeOf(result);
        } finally {
          line.stop();
        }
      }),
    );
}

function exitCodeOf({ sessions, total, failed }: CompileProgress): ExitCode {
  return Object.keys(failed).length > 0 || sessions < total ? exitCodes.partial : exitCodes.ok;
}

function progressText({ sessions, total, compiled, known, notYet, pairs, rejected, costUsd }: CompileProgress): string {
  return [
    `${count(sessions)} of ${counted(total, 'session')}`,
    `compiled ${count(compiled)}`,
    `known ${count(known)}`,
    ...(notYet > 0 ? [`not yet ${count(notYet)}`] : []),
    `pairs ${count(pairs)}`,
    `rejected ${count(rejected)}`,
    usd(costUsd),
  ].join(' · ');
}
