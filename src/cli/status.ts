import type { Command } from 'commander';
import { exitCodes, messageOf, stop } from '../errors.ts';
import { askStatus } from '../instance/ask.ts';
import { instancesOf } from '../instance/register.ts';
import type { InstanceStatus } from '../instance/status.ts';
import { pause } from '../lifecycle.ts';
import type { Act, CommandContext } from './context.ts';
import { statusDetails, statusLine } from './status-text.ts';

interface Options {
  url?: string[];
  watch?: boolean;
}

export function defineStatus(program: Command, act: Act): void {
  program
    .command('status')
    .description('how a running instance stands: lag, open sessions, pairs, what it spends, what it waits for')
    .option('--url <url...>', 'where its metrics are served; by default the instances of dataDir, else metrics.port')
    .option('--watch', 'again every two seconds, until Ctrl-C')
    .action(
      act(
        async (context, { url, watch = false }: Options) => {
          const shown = await show(context, url);
          while (watch && !context.drain.aborted) {
            await pause(watchEveryMs, context.drain);
            if (!context.drain.aborted) await show(context, url, true);
          }
          return shown || watch ? exitCodes.ok : exitCodes.failed;
        },
        { stopping: null },
      ),
    );
}

const watchEveryMs = 2000;

/** False where one of them did not answer. @throws OperatorError `not_running` where there is none to ask. */
async function show(context: CommandContext, given: string[] | undefined, again = false): Promise<boolean> {
  const asked = await Promise.all(urlsOf(context, given).map(ask));
  const { json, print, note } = context;
  if (again && !json && process.stdout.isTTY === true) print(clearScreen.trimEnd());
  for (const [index, { url, status, error }] of asked.entries()) {
    if (status === null) note(`error: ${error}`);
    else if (json) print(JSON.stringify({ url, ...status }));
    else
      print(
        [...(index > 0 ? [''] : []), statusLine(status), ...statusDetails(status), `metrics at ${url}/metrics`].join(
          '\n',
        ),
      );
  }
  return asked.every(({ status }) => status !== null);
}

const clearScreen = '\u001b[H\u001b[2J';

async function ask(url: string): Promise<{ url: string; status: InstanceStatus | null; error: string }> {
  try {
    return { url, status: await askStatus(url), error: '' };
  } catch (error) {
    return { url, status: null, error: messageOf(error) };
  }
}

function urlsOf({ config, loaded }: CommandContext, given: string[] | undefined): string[] {
  if (given !== undefined) return given.map((url) => url.replace(/\/+$/, ''));
  const here = instancesOf(config.dataDir).map(({ url }) => url);
  if (here.length > 0) return here;
  const { 'metrics.host': host, 'metrics.port': port } = config;
  if (port !== 0 && loaded.origins['metrics.port'] !== 'default') return [`http://${host}:${port}`];
  throw stop(
    'not_running',
    `nothing runs in ${config.dataDir}: start \`run\`, or say with --url where the metrics of an instance on another host or in a container are served`,
  );
}
