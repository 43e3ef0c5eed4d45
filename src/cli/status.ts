import type { Command } from 'commander';
import { exitCodes, messageOf, OperatorError, stop } from '../errors.ts';
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
            // Who watches sees a restart through, and not the first moment without anybody.
            if (!context.drain.aborted) await show(context, url, true).catch((error) => complain(context, error));
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
  if (again) clearScreen(context);
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

function complain(context: CommandContext, error: unknown): void {
  if (!(error instanceof OperatorError)) throw error;
  clearScreen(context);
  context.note(`error: ${error.message}`);
}

function clearScreen({ json }: CommandContext): void {
  if (!json && process.stdout.isTTY === true) process.stdout.write('\u001b[H\u001b[2J');
}

async function ask(url: string): Promise<{ url: string; status: InstanceStatus | null; error: string }> {
  try {
    return { url, status: await askStatus(url), error: '' };
  } catch (error) {
    return { url, status: null, error: messageOf(error) };
  }
}

function urlsOf({ config, loaded }: CommandContext, given: string[] | undefined): string[] {
  if (given !== undefined) return given.map(addressOf);
  const here = instancesOf(config.dataDir);
  const served = here.flatMap(({ url }) => url ?? []);
  if (served.length > 0) return served;
  const { 'metrics.host': host, 'metrics.port': port } = config;
  if (port !== 0 && loaded.origins['metrics.port'] !== 'default') return [`http://${host}:${port}`];
  if (here.length > 0) {
    throw stop(
      'not_served',
      `process ${here.map(({ pid }) => pid).join(', ')} runs in ${config.dataDir} and serves no metrics, so it can't be asked: start it with metrics.port above 0`,
    );
  }
  throw stop(
    'not_running',
    `nothing runs in ${config.dataDir}: start \`run\`, or say with --url where the metrics of an instance on another host or in a container are served`,
  );
}

/** Of whatever was copied: `127.0.0.1:9464` and `http://127.0.0.1:9464/metrics` are `http://127.0.0.1:9464`. */
function addressOf(given: string): string {
  const url = /^https?:\/\//.test(given) ? given : `http://${given}`;
  if (URL.canParse(url)) return new URL(url).origin;
  throw stop('usage', `--url must be an address such as http://127.0.0.1:9464, not ${JSON.stringify(given)}`, {
    exitCode: exitCodes.usage,
  });
}
