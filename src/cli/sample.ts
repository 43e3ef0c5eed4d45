import { type Command, Option } from 'commander';
import { openDataset } from '../dataset/open.ts';
import { renderSample } from '../dataset/render-sample.ts';
import { sampleExported, samplePairs } from '../dataset/sample.ts';
import { terminalOf } from '../dataset/terminal.ts';
import { exitCodes } from '../errors.ts';
import { qaTypeSchema, verificationSchema } from '../records.ts';
import { filesOf } from '../stages.ts';
import { parseCount } from './arguments.ts';
import type { Act } from './context.ts';

interface Options {
  limit: number;
  qaType?: string;
  agent?: string;
  session?: string;
  verification?: string;
  duplicates?: boolean;
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
    .addOption(
      new Option(
        '--verification <status>',
        'only of this; by default proved and pass, as an export takes them',
      ).choices(verificationSchema.shape.status.options),
    )
    .option('--duplicates', 'also pairs that ask what others of their agent and week ask')
    .option('--seed <n>', 'another seed draws other pairs', parseCount, 0)
    .action(
      act(
        async ({ config, json, print, note }, { limit, qaType, agent, session, seed, ...more }: Options) => {
          const { verification, duplicates = false } = more;
          const db = openDataset(filesOf(config).dataset);
          try {
            const options = {
              limit,
              seed,
              duplicates,
              ...(qaType === undefined ? {} : { qaType }),
              ...(agent === undefined ? {} : { agent }),
              ...(session === undefined ? {} : { sessionId: session }),
            };
            const { pairs, verified } =
              verification === undefined
                ? sampleExported(db, options)
                : { pairs: samplePairs(db, { ...options, verification: [verification] }), verified: true };
            if (pairs.length === 0) note('no pair to show: `stats` says what there is');
            else if (!verified) note('no pair like that is proved or verified yet: these are unverified');
            if (json) for (const pair of pairs) print(JSON.stringify(pair));
            else if (pairs.length > 0) print(renderSample(pairs, terminalOf(process.stdout, process.env.NO_COLOR)));
          } finally {
            db.close();
          }
          return exitCodes.ok;
        },
        { endsAtOnce: true },
      ),
    );
}
