import type { Command } from 'commander';
import type { Config } from '../config.ts';
import { count, usd } from '../dataset/figures.ts';
import { exitCodes } from '../errors.ts';
import { type CompileProgress, compileExisting } from '../existing.ts';
import { sessionsToCompile } from '../existing-log.ts';
import { filesOf } from '../stages.ts';
import { parseCount } from './arguments.ts';
import type { Act } from './context.ts';
import { noteEstimate } from './estimate-line.ts';
import { counted } from './figures.ts';
import { mentionUnusedKey } from './run.ts';
import { showStatus } from './status-line.ts';

interface CompileOptions {
  limit: number;
  force?: boolean;
  supabaseMirror?: boolean;
  session?: string[];
}

export function defineCompile(program: Command, act: Act): void {
  program
    .command('compile')
    .description('compile sessions that are in the table already, longest first; reads the table only, without a slot')
    .option('--limit <n>', 'how many sessions, beside those that are known', parseCount, 25)
    .option('--force', 'compile what is in the dataset too')
    .option(
      '--session <id>',
      'only this session, also what of it was left out for its shape or its cost; may be repeated',
      (id, before: string[] = []) => [...before, id],
    )
    .option('--supabase-mirror', 'write to the sink supabase too')
    .action(
      act(async (context, { limit, force = false, supabaseMirror = false, session }: CompileOptions) => {
        const { log, json, print, note, drain, abort } = context;
        const config = supabaseMirror ? withMirror(context.config) : context.config;
        mentionUnusedKey(context);
        if (config['compile.tier'] !== 'rules') {
          const named = session?.map((sessionId) => ({ sessionId, turns: 1 }));
          await noteEstimate(context, named ?? (await sessionsToCompile(config, limit, log)), 'what is to be compiled');
        }
        let latest: CompileProgress | null = null;
        const line = showStatus(() => (latest === null ? 'reading the table' : progressText(latest)));
        try {
          const onProgress = (progress: CompileProgress) => {
            latest = progress;
          };
          const asked = session === undefined ? {} : { sessions: session };
          const result = await compileExisting({ config, limit, force, ...asked, log, drain, abort, onProgress });
          line.stop();
          print(json ? JSON.stringify(result) : progressText(result));
          for (const [code, n] of Object.entries(result.failed)) note(`${counted(n, 'trajectory')} failed: ${code}`);
          note(`the dataset is ${filesOf(config).dataset}: see \`sample\` and \`stats\``);
          return drain.aborted || Object.keys(result.failed).length > 0 ? exitCodes.partial : exitCodes.ok;
        } finally {
          line.stop();
        }
      }),
    );
}

const withMirror = (config: Config): Config => ({
  ...config,
  sinks: [...new Set([...config.sinks, 'supabase' as const])],
});

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
