/** What is read, not counted: brought up to date before a scrape, so that nothing is read while nobody looks. */
import type { DoorStatus } from '../compile/models/door.ts';
import type { SourceStatus } from '../stream/contract.ts';
import type { Lag } from '../topic/topic.ts';
import { countedElsewhere, type Metrics } from './registry.ts';

const violationKinds = ['updates', 'deletes', 'truncates'] as const;
const unstreamedKinds = ['attached', 'republished'] as const;
const walStatuses = ['reserved', 'extended', 'unreserved', 'lost'] as const;
const breakerStates = ['closed', 'half_open', 'open'] as const;

/** What can be asked of a running pipe at any time. */
export interface Gauged {
  /** Null where another process captures. */
  capture: {
    source: { status(): SourceStatus };
    journal: { totals(): { sessions: number; open: number; held: number }; outbox: { depth(): number } };
  } | null;
  /** Topic, group, and how it stands. */
  lags(): Promise<{ topic: string; group: string; lag: Lag }[]>;
  counts(): { topic: string; redeliveries: number; duplicates: number; rebalances: number }[];
  paused(): { code: string } | null;
  /** Of the current day and month; none where no model is called. */
  spending(): Promise<{ scope: string; limitUsd: number | null; spentUsd: number; reservedUsd: number }[]>;
  /** Every model that is asked here. */
  models(): readonly DoorStatus[];
  /** Of the data directory. */
  disk(): Promise<{ files: { file: string; bytes: number }[]; freeBytes: number | null }>;
  /** Null where none is kept here. */
  dataset(): Promise<{ pairs: number; rejected: number } | null>;
  /** Lines of the log so far. */
  logged: Readonly<Record<'warn' | 'error', number>>;
}

/** Reads every gauge. */
export async function refreshGauges(metrics: Metrics, gauged: Gauged): Promise<void> {
  metrics.paused.reset();
  const pause = gauged.paused();
  if (pause !== null) metrics.paused.set({ reason: pause.code }, 1);
  refreshTopicCounts(metrics, gauged.counts());
  for (const status of gauged.models()) refreshModel(metrics, status);
  countedElsewhere(
    metrics.logLines,
    Object.entries(gauged.logged).map(([level, total]) => ({ labels: { level }, total })),
  );
  await Promise.all([
    gauged.dataset().then((dataset) => refreshDataset(metrics, dataset)),
    gauged.spending().then((levels) => refreshBudget(metrics, levels)),
    gauged.lags().then((lags) => refreshLags(metrics, lags)),
    gauged.disk().then((disk) => refreshDisk(metrics, disk)),
  ]);
  // Last: counters are read as they then are, and what is counted together must not tell of two moments.
  if (gauged.capture !== null) refreshCapture(metrics, gauged.capture);
}

function refreshCapture(metrics: Metrics, { source, journal }: NonNullable<Gauged['capture']>): void {
  const status = source.status();
  metrics.connected.set(status.connected ? 1 : 0);
  metrics.throttled.set(status.paused ? 1 : 0);
  countedElsewhere(metrics.reconnects, [{ total: status.reconnects }]);
  countedElsewhere(metrics.received, [{ total: status.bytes }]);
  countedElsewhere(metrics.transactions, [{ total: status.transactions }]);
  countedElsewhere(
    metrics.tampered,
    violationKinds.map((kind) => ({ labels: { kind }, total: status[kind] })),
  );
  countedElsewhere(
    metrics.unstreamed,
    unstreamedKinds.map((kind) => ({ labels: { kind }, total: status[kind] })),
  );
  metrics.unlogged.set(status.unlogged);
  const { watermark, lagMs, lagBytes } = status;
  if (watermark !== null) metrics.watermarkDelay.set(Math.max(0, Date.now() - watermark / 1000) / 1000);
  if (lagMs !== null) metrics.lagSeconds.set(lagMs / 1000);
  if (lagBytes !== null) metrics.lagBytes.set(Math.max(0, lagBytes));
  metrics.bufferedRows.set(status.bufferedRows);
  metrics.bufferedBytes.set(status.bufferedBytes);
  refreshSlot(metrics, status);
  refreshHistory(metrics, status);
  const totals = journal.totals();
  metrics.openParts.set(totals.open);
  metrics.heldParts.set(totals.held);
  metrics.seenSessions.set(totals.sessions);
  metrics.outboxDepth.set(journal.outbox.depth());
}

function refreshSlot(metrics: Metrics, { retainedBytes, safeWalBytes, walStatus }: SourceStatus): void {
  metrics.slotRetained.set(retainedBytes);
  metrics.slotSafe.set(safeWalBytes ?? Number.POSITIVE_INFINITY);
  for (const status of walStatuses) metrics.slotStatus.set({ status }, status === walStatus ? 1 : 0);
}

function refreshHistory(metrics: Metrics, { history }: SourceStatus): void {
  // A value that no longer holds is worse than none.
  metrics.historyRows.remove();
  metrics.historyEstimate.remove();
  if (history === null) return;
  metrics.historyRows.set(history.rows);
  if (history.estimatedRows !== null) metrics.historyEstimate.set(history.estimatedRows);
}

function refreshTopicCounts(metrics: Metrics, counts: ReturnType<Gauged['counts']>): void {
  const of = (kind: 'redeliveries' | 'duplicates' | 'rebalances') =>
    counts.map(({ topic, [kind]: total }) => ({ labels: { topic }, total }));
  countedElsewhere(metrics.redeliveries, of('redeliveries'));
  countedElsewhere(metrics.duplicates, of('duplicates'));
  countedElsewhere(metrics.rebalances, of('rebalances'));
}

function refreshLags(metrics: Metrics, lags: Awaited<ReturnType<Gauged['lags']>>): void {
  // Partitions go to other members, and of a topic that can't be asked nothing is known.
  for (const gauge of [metrics.topicDepth, metrics.topicInWork, metrics.topicAge, metrics.deadLetters]) gauge.reset();
  metrics.topicPartition.reset();
  for (const { topic, group, lag } of lags) {
    const labels = { topic, group };
    metrics.topicDepth.set(labels, lag.messages);
    metrics.topicInWork.set(labels, lag.inWork);
    // An age that nobody knows is not 0.
    if (lag.oldestAgeMs !== null || lag.messages === 0) metrics.topicAge.set(labels, (lag.oldestAgeMs ?? 0) / 1000);
    metrics.deadLetters.set(labels, lag.deadLetters);
    for (const { partition, messages } of lag.partitions ?? [])
      metrics.topicPartition.set({ ...labels, partition: String(partition) }, messages);
  }
}

function refreshModel(metrics: Metrics, status: DoorStatus): void {
  const { provider, model, inFlight, waiting, limits, breaker, shutdownAt } = status;
  const labels = { provider, model };
  metrics.modelInFlight.set(labels, inFlight);
  metrics.modelWaiting.set(labels, waiting);
  for (const { limit, allowed, used } of limits) {
    metrics.modelLimit.set({ ...labels, limit }, allowed);
    metrics.modelLimitUsed.set({ ...labels, limit }, used);
  }
  for (const state of breakerStates) metrics.modelBreaker.set({ ...labels, state }, state === breaker ? 1 : 0);
  if (shutdownAt !== null) metrics.modelShutdown.set(labels, shutdownAt.getTime() / 1000);
}

function refreshDataset(metrics: Metrics, dataset: Awaited<ReturnType<Gauged['dataset']>>): void {
  metrics.datasetPairs.remove();
  metrics.datasetRejected.remove();
  if (dataset === null) return;
  metrics.datasetPairs.set(dataset.pairs);
  metrics.datasetRejected.set(dataset.rejected);
}

function refreshBudget(metrics: Metrics, levels: Awaited<ReturnType<Gauged['spending']>>): void {
  // Books that can't be read say nothing of a new day, and what the old one cost is no news.
  for (const gauge of [metrics.budgetLimit, metrics.budgetSpent, metrics.budgetReserved]) gauge.reset();
  for (const { scope, limitUsd, spentUsd, reservedUsd } of levels) {
    if (limitUsd !== null) metrics.budgetLimit.set({ scope }, limitUsd);
    metrics.budgetSpent.set({ scope }, spentUsd);
    metrics.budgetReserved.set({ scope }, reservedUsd);
  }
}

function refreshDisk(metrics: Metrics, { files, freeBytes }: Awaited<ReturnType<Gauged['disk']>>): void {
  metrics.dataFileBytes.reset();
  metrics.dataFree.remove();
  for (const { file, bytes } of files) metrics.dataFileBytes.set({ file }, bytes);
  if (freeBytes !== null) metrics.dataFree.set(freeBytes);
}
