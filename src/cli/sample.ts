import { type Command, Option } from 'commander';
import { openDataset } from '../dataset/open.ts';
import { renderSample } from '../dataset/render-sample.ts';
import { samplePairs } from '../dataset/sample.ts';
import { terminalOf } from '../dataset/terminal.ts';
import { exitCodes } from '../errors.ts';
import { qaTypeSchema } from '../records.ts';
import { filesOf } from '../stages.ts';
import { parseCount } from './arguments.ts';
import type { Act } from './context.ts';

interface Options {
  limit: number;
  qaType?: string;
  agent?: string;
  session?: string;
  seed: number;
}

export function defineSample(program: Command, act: Act): void {
  program
    .command('sample')
    .description('pairs drawn from the dataset, with the text of their supporting turns')
    .option('--limit <n>', 'how many', parseCount, 5)
    .addOption(new Option('--qa-type <type>', 'only of this type').choices(qaTypeSchema.options))
    .option('--agent <name>', 'only of this agent')
    .option('--session <id>', 'only of this session')
    .option('--seed <n>', 'another seed draws other pairs', parseCount, 0)
    .action(
      act(async ({ config, json, print, note }, { limit, qaType, agent, session, seed }: Options) => {
        const db = openDataset(filesOf(config).dataset);
        try {
          const pairs = samplePairs(db, {
            limit,
            seed,
            ...(qaType === undefined ? {} : { qaType }),
            ...(agent === undefined ? {} : { agent }),
            ...(session === undefined ? {} : { sessionId: session }),
          });
          if (pairs.length === 0) note('no pair is like that: see `stats` for what there is');
          if (json) for (const pair of pairs) print(JSON.stringify(pair));
          else if (pairs.length > 0) print(renderSample(pairs, terminalOf(process.stdout, process.env.NO_COLOR)));
        } finally {
          db.close();
        }
        return exitCodes.ok;
      }),
    );
}
