/** The capture part of the pipe: from the audit log into the journal, and from there onto the topic of trajectories. */
import { withoutCompiled } from './already-compiled.ts';
import type { Config } from './config.ts';
import { crashPoint } from './crash-points.ts';
import { kindOf } from './errors.ts';
import { Injector, type Stored, withoutTaken } from './injecting.ts';
import { pause, persevere, type Releasers } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { observeStep } from './metrics/observe.ts';
import type { Metrics } from './metrics/registry.ts';
import { type RowColumns, rowColumnsOf } from './postgres/row-columns.ts';
import { openAuditReader } from './postgres/rows.ts';
import type { Batch } from './records.ts';
import { type ChangedRows, openRequests, type Requests } from './requests.ts';
import { createReseal, type Reseal } from './resealing.ts';
import { createDigester, openDigestKey } from './row-digest.ts';
import { type Journal, openJournal } from './sessionizer/journal.ts';
import { lockDataDir } from './sessionizer/lock.ts';
import { type SessionRules, sessionize, watermarkOf } from './sessionizer/sessionize.ts';
import type { SqliteDatabase } from './sqlite.ts';
import { captureSettings, filesOf, sessionRules, tableSettings } from './stages.ts';
import type { Source } from './stream/contract.ts';
import { openSource } from './stream/source.ts';
import { currentTarget } from './stream/target.ts';
import type { Waker } from './topic/waker.ts';
import type { TrajectoryTopic } from './transport/transport.ts';

export interface OpenJournal {
  journal: Journal;
  /** Of the table as it is now. */
  rowColumns: RowColumns;
  rules: SessionRules;
  /** What commands ask of this process. */
  requests: Requests;
  reseal: Reseal;
  /** The reading of history was cut short: it starts over. */
  interrupted: boolean;
}

export type From = 'now' | 'beginning';

/** Takes the lock of the data directory. */
export async function openCaptureJournal(
  config: Config,
  from: From,
  log: Logger,
  releasers: Releasers,
): Promise<OpenJournal> {
  const rules = sessionRules(config);
  const { url } = captureSettings(config);
  const lock = lockDataDir(config.dataDir);
  releasers.push('lock', () => lock.release());
  const reader = await openAuditReader({ url, ...tableSettings(config) });
  await reader.close();
  const files = filesOf(config);
  const digester = createDigester(openDigestKey(files.digestKey, config['capture.digestKey']));
  const journal = openJournal(files.journal, { source: reader.source, rules, digester });
  releasers.push('journal', () => journal.close());
  const requests = openRequests(files.requests);
  releasers.push('requests', () => requests.close());
  const interrupted = journal.dropHistory();
  if (interrupted) log.info('reading of history was interrupted: it starts over');
  if (from === 'beginning' && journal.progress !== null) {
    log.info(`${config.dataDir} has a position already and goes on from there: --from beginning is for a fresh one`);
  }
  const openReader = () => openAuditReader({ url, ...tableSettings(config), exclude: [] });
  return {
    journal,
    rowColumns: rowColumnsOf(reader.table),
    rules,
    requests,
    reseal: createReseal({ journal, digester, openReader }),
    interrupted,
  };
}

/** `once`: the batches end at what is committed now. */
export async function openCaptureSource(
  config: Config,
  { journal, interrupted }: OpenJournal,
  { from, once }: { from: From; once: boolean },
  log: Logger,
  releasers: Releasers,
): Promise<Source> {
  const settings = captureSettings(config);
  const source = await openSource(
    {
      ...settings,
      from: interrupted ? 'beginning' : from,
      batchRows: config['capture.batchRows'],
      batchMs: config['capture.batchDelay'],
      maxBufferBytes: config['capture.bufferBytes'],
      until: once ? await currentTarget(settings.url) : undefined,
    },
    {
      progress: journal.progress,
      identity: journal.identity,
      columns: journal.columns,
      rowColumns: journal.rowColumns,
    },
    log,
  );
  releasers.push('source', () => source.close());
  journal.setIdentity(source.identity);
  journal.setColumns(source.columns);
  journal.setRowColumns(source.rowColumns);
  return source;
}

export interface CaptureLoop {
  source: Source;
  journal: Journal;
  rules: SessionRules;
  /** Of this data directory, where there is one. */
  dataset: SqliteDatabase | null;
  /** What commands ask of this process. */
  requests: Requests;
  reseal: Reseal;
  metrics: Metrics;
  sealed: Waker;
  log: Logger;
}

export async function capture(loop: CaptureLoop, signal: AbortSignal): Promise<void> {
  const { source, journal, requests, reseal, metrics, log } = loop;
  const injector = new Injector({
    source,
    journal,
    requests,
    reseal,
    onResealed: () => metrics.revisions.inc(),
    store: (batch, changed) => store(batch, loop, changed),
    log,
  });
  try {
    await injector.resume(signal);
    for await (const batch of source.batches(signal)) {
      store(batch, loop);
      if (journal.resumeLsn !== null) await source.confirm(journal.resumeLsn);
      await injector.turn(signal);
    }
  } catch (error) {
    // Whoever stops while the server is away has not failed.
    if (!signal.aborted || kindOf(error) !== 'retry') throw error;
  } finally {
    await injector.close();
  }
}

/** Groups a batch and makes it durable. */
function store(received: Batch, loop: CaptureLoop, onChanged: ChangedRows = 'leave'): Stored {
  const { source, journal, rules, dataset, metrics, sealed } = loop;
  crashPoint('batch.received');
  const known = journal.recall(received.sessionIds, watermarkOf(received));
  const { batch: fresh, changed } = withoutTaken(received, journal, onChanged);
  const isLive = (id: string) => received.history === undefined && known.parts.has(id);
  const batch = dataset === null ? fresh : withoutCompiled(fresh, { isLive, changed }, dataset, source.source);
  const step = sessionize(known, batch, rules);
  observeStep(step, metrics, () => journal.commit(step, batch));
  if (batch.history !== undefined && batch.injected !== true) crashPoint(`history.${batch.history.state}`);
  if (step.parts.some(({ standing }) => standing.kind === 'sealed') || batch.history?.state === 'done') sealed.wake();
  return { taken: step.counts.rows, changed: changed.size };
}

const publishEveryMs = 1000;

/** From the outbox onto the topic. A crash between the two publishes again, which the topic does not notice. */
export async function publish(
  journal: Journal,
  topic: TrajectoryTopic,
  { sealed, log }: { sealed: Waker; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const refs = journal.outbox.pending(256);
    const ids = refs.map(({ trajectoryId }) => trajectoryId);
    if (refs.length > 0) crashPoint('outbox.publishing');
    const sent = await untilStopped(() => topic.publish(refs), { signal, log, doing: 'publish trajectories' });
    if (!sent) return;
    if (refs.length > 0) crashPoint('outbox.published');
    journal.outbox.published(ids);
    if (refs.length > 0) crashPoint('outbox.marked');
    if (topic.carriesBodies) journal.outbox.forget(ids);
    if (refs.length === 0) await sealed.wait(publishEveryMs);
  }
}

/** False where the signal fired before it worked: what was not published stays in the outbox. */
async function untilStopped(
  work: () => Promise<void>,
  patience: { signal: AbortSignal; log: Logger; doing: string },
): Promise<boolean> {
  try {
    await persevere(work, patience);
    return true;
  } catch (error) {
    if (patience.signal.aborted) return false;
    throw error;
  }
}

const forgetEveryMs = 10_000;

/** Bodies that are finished: a crash can come between finishing and forgetting, and another process may do the work. */
export async function forgetFinished(journal: Journal, topic: TrajectoryTopic, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    journal.outbox.forget(topic.finishedAmong(journal.outbox.publishedIds()));
    await pause(forgetEveryMs, signal);
  }
}
