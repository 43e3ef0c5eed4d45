import { type Command, Option } from 'commander';
import { openRedaction } from '../compiling/redaction.ts';
import { count, usd } from '../dataset/figures.ts';
import { dryRun, renderDryRequest } from '../dry-run.ts';
import { codeOf, type ExitCode, exitCodes, OperatorError } from '../errors.ts';
import { type HttpServer, serveHttp } from '../http.ts';
import { registerInstance } from '../instance/register.ts';
import type { Identity } from '../instance/status.ts';
import { refreshGauges } from '../metrics/gauges.ts';
import { createMetrics } from '../metrics/registry.ts';
import { openPipeline, type Pipeline, type PipelineOptions } from '../pipeline.ts';
import { flat, type Totals, totalsOf } from '../totals.ts';
import type { Act, CommandContext } from './context.ts';
import { bytes, counted } from './figures.ts';
import { type FollowedStatus, followStatus } from './run-status.ts';
import { showStatus } from './status-line.ts';
import { statusLine } from './status-text.ts';

interface RunOptions {
  once?: boolean;
  untilIdle?: boolean;
  dryRun?: boolean;
  from: PipelineOptions['from'];
}

export function defineRun(program: Command, act: Act): void {
  program
    .command('run')
    .description('tail the audit log and compile its sessions, until stopped')
    .addOption(new Option('--once', 'work through what is committed now, close what is idle, and exit'))
    .addOption(new Option('--until-idle', 'exit when no part is open and nothing is in work').conflicts('once'))
    .addOption(
      new Option('--from <where>', 'where a first start begins; beginning reads the rows that are there already')
        .choices(['now', 'beginning'])
        .default('now'),
    )
    .addOption(
      new Option('--dry-run', 'show what a model would be sent next, word for word, send nothing and exit').conflicts([
        'once',
        'untilIdle',
      ]),
    )
    .action(
      act(async (context, { once, untilIdle, dryRun, from }: RunOptions) => {
        if (dryRun === true) return await showDryRun(context);
        const until = once === true ? 'once' : untilIdle === true ? 'idle' : 'stopped';
        const totals = await unlessStopped(context, () => runPipeline(context, { from, until }));
        if (totals !== null && context.json) context.print(JSON.stringify(flat(totals)));
        return exitCodes.ok;
      }),
    );
}

/** Sessions that are shown: enough to see what leaves, few enough to read. */
const dryRunSessions = 3;

async function showDryRun({ config, log, json, print, note }: CommandContext): Promise<ExitCode> {
  const redactor = await openRedaction(config, log);
  try {
    let requests = 0;
    for await (const request of dryRun({ config, redactor, limit: dryRunSessions, log })) {
      requests += 1;
      print(json ? JSON.stringify(request) : renderDryRequest(request));
    }
    note(`${counted(requests, 'prompt')} of up to ${dryRunSessions} sessions, longest first; nothing was sent`);
    return exitCodes.ok;
  } finally {
    await redactor.close();
  }
}

/** Null where it was told to stop while it waited for something that is away: that is an end, and no failure. */
async function unlessStopped({ drain, note }: CommandContext, run: () => Promise<Totals>): Promise<Totals | null> {
  try {
    return await run();
  } catch (error) {
    const waited = error instanceof OperatorError && (error.kind === 'retry' || error.resumeAt !== undefined);
    if (!drain.aborted || !waited) throw error;
    note(`stopped while it waited: ${error.message}`);
    return null;
  }
}

/** Runs the pipe with its metrics and its status line; resolves with what the data directory then holds. */
export async function runPipeline(
  context: CommandContext,
  { from, until, feed }: Pick<PipelineOptions, 'from' | 'until' | 'feed'>,
): Promise<Totals> {
  const { config, log, note, drain, abort } = context;
  mentionUnusedKey(context);
  const metrics = createMetrics(context.version);
  const pipeline = await openPipeline({ config, from, until, feed, log, metrics, drain, abort });
  try {
    const asked = until === 'stopped' || context.loaded.origins['metrics.port'] !== 'default';
    const status = await followStatus(pipeline, identityOf(context));
    const server = asked ? await serveMetrics(context, metrics, pipeline, status) : null;
    const registered = registerInstance(config.dataDir, { pid: process.pid, url: server?.url ?? null });
    const line = showStatus(() => statusLine(status.latest()), until === 'stopped' ? 30_000 : 5000);
    try {
      await pipeline.run();
    } finally {
      status.stop();
      line.stop();
      registered.release();
      await server?.close();
    }
    const totals = await totalsOf(pipeline);
    for (const sentence of summary(totals, pipeline)) note(sentence);
    return totals;
  } finally {
    await pipeline.close();
  }
}

/** A key in the environment is no wish to spend money: the tier is. */
export function mentionUnusedKey({ config, note }: CommandContext): void {
  if (config['gemini.apiKey'] === null || config['compile.tier'] !== 'rules') return;
  note(
    'a Gemini key is set and not used: `run --tier cheap` would send the redacted text of sessions to the model; `estimate` says what that may cost',
  );
}

async function serveMetrics(
  { config, loaded, log, logged, note }: CommandContext,
  metrics: ReturnType<typeof createMetrics>,
  pipeline: Pipeline,
  status: FollowedStatus,
): Promise<HttpServer | null> {
  const { 'metrics.port': port, 'metrics.host': host } = config;
  if (port === 0) return null;
  const serve = (at: number) =>
    serveHttp({
      host,
      port: at,
      registry: metrics.registry,
      beforeScrape: () => refreshGauges(metrics, { ...pipeline, logged }),
      notReady: () => pipeline.away(),
      status: () => status.latest(),
    });
  const server = await serve(port).catch(async (error: unknown) => {
    // A port that somebody chose must work; the default one is a convenience, and a second run may well want it too.
    if (loaded.origins['metrics.port'] !== 'default' || codeOf(error) !== 'port_taken') throw error;
    log.warn(`port ${port} is taken: metrics are on another one`);
    return await serve(0);
  });
  note(`metrics at ${server.url}/metrics`);
  return server;
}

function identityOf({ config, version }: CommandContext): Identity {
  return { version, pid: process.pid, roles: [...config.roles], startedAt: new Date().toISOString() };
}

function summary({ capture: captured, dataset, parked }: Totals, { capture }: Pipeline): string[] {
  const lines: string[] = [];
  if (captured !== undefined) {
    const { rows, sessions, trajectories, open, belowMinTurns } = captured;
    lines.push(
      `${counted(rows, 'row')} of ${counted(sessions, 'session')}: ${counted(trajectories, 'trajectory')}, ${count(open)} open, ${count(belowMinTurns)} below the minimum of turns`,
    );
  }
  const aside = parked > 0 ? `${count(parked)} parked` : null;
  if (dataset !== undefined) {
    const { pairs, rejected, costUsd } = dataset;
    const figures = [counted(pairs, 'pair'), `${count(rejected)} rejected`, aside, `cost ${usd(costUsd)}`];
    lines.push(figures.filter((figure) => figure !== null).join(', '));
  } else if (aside !== null) lines.push(aside);
  if (capture !== null) {
    const { retainedBytes, walStatus } = capture.source.status();
    lines.push(`the slot retains ${bytes(retainedBytes)} of WAL (${walStatus})`);
  }
  return lines;
}
