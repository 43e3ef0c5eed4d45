import { join } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../config.ts';
import { openDataset } from '../dataset/open.ts';
import { renderSample } from '../dataset/render-sample.ts';
import { type SampledPair, samplePairs } from '../dataset/sample.ts';
import { terminalOf } from '../dataset/terminal.ts';
import { feedFleet } from '../demo/feed.ts';
import { exitCodes } from '../errors.ts';
import { startEmbeddedPostgres } from '../postgres/embedded.ts';
import { qaTypeSchema } from '../records.ts';
import { initialise } from '../setup.ts';
import { clearDataDir, filesOf, tableSettings } from '../stages.ts';
import { flat } from '../totals.ts';
import { parseCount } from './arguments.ts';
import type { Act, CommandContext } from './context.ts';
import { runPipeline } from './run.ts';

interface Options {
  keep?: boolean;
  seed: number;
}

/** Eighteen simulated minutes pass in some twenty seconds. */
const speed = 55;
const idleTimeoutMs = 3000;

export function defineDemo(program: Command, act: Act): void {
  program
    .command('demo')
    .description('a simulated fleet of eight agents, an embedded Postgres, and the very same pipe; about 40 s')
    .option('--keep', 'go on until Ctrl-C')
    .option('--seed <n>', 'another seed, another fleet', parseCount, 7)
    .action(
      act(async (given, options: Options) => {
        // Each demo has a server of its own: what an earlier one left here belongs to a log that is gone.
        clearDataDir(demoConfig(given.config));
        given.note('starting an embedded Postgres');
        const postgres = await startEmbeddedPostgres({ settings: { max_slot_wal_keep_size: '4GB' } });
        try {
          const context = demoContext(given, postgres.url);
          const totals = await demonstrate(context, options);
          const dataset = filesOf(context.config).dataset;
          if (context.json) context.print(JSON.stringify({ ...flat(totals), dataset }));
          else tell(context, dataset);
          return exitCodes.ok;
        } finally {
          await postgres.stop();
        }
      }),
    );
}

/** The settings as they are, but for the server, a folder of the demo's own and sessions that end within seconds. */
function demoContext(given: CommandContext, url: string): CommandContext {
  const { config, loaded } = given;
  const keptIdle = loaded.origins['session.idleTimeout'] !== 'default';
  return {
    ...given,
    config: {
      ...demoConfig(config),
      'postgres.url': url,
      'session.idleTimeout': keptIdle ? config['session.idleTimeout'] : idleTimeoutMs,
    },
  };
}

async function demonstrate(context: CommandContext, { keep = false, seed }: Options) {
  const { config, note, drain } = context;
  await initialise(config, { createTable: true });
  note(keep ? 'eight agents at work until Ctrl-C' : 'eight agents at work for about twenty seconds');
  const ended = new AbortController();
  const signal = AbortSignal.any([drain, ended.signal]);
  const feeding = feedFleet({
    url: config['postgres.url'] ?? '',
    ...tableSettings(config),
    seed,
    speed,
    keep,
    signal,
  });
  try {
    return await runPipeline(context, { from: 'now', until: keep ? 'stopped' : 'idle', feed: feeding });
  } finally {
    ended.abort();
    await feeding.catch(() => {});
  }
}

/** A folder of the demo's own, so that nothing else is ever cleared. */
const demoConfig = (config: Config): Config => ({ ...config, dataDir: join(config.dataDir, 'demo') });

function tell({ config, print }: CommandContext, dataset: string): void {
  const db = openDataset(dataset);
  try {
    print(
      renderSample(
        oneOfEachType((options) => samplePairs(db, options)).slice(0, 3),
        terminalOf(process.stdout, process.env.NO_COLOR),
      ),
    );
  } finally {
    db.close();
  }
  print(
    [
      `The dataset is ${dataset}. Next:`,
      `  npm start -- sample --data-dir ${config.dataDir} --limit 10`,
      `  npm start -- stats --data-dir ${config.dataDir}`,
      '  and your own log: README.md, "Your own table in five minutes"',
    ].join('\n'),
  );
}

function oneOfEachType(sample: (options: { limit: number; qaType: string }) => SampledPair[]): SampledPair[] {
  return qaTypeSchema.options.toReversed().flatMap((qaType) => sample({ limit: 1, qaType }));
}
