/** How a running process stands: what its status line shows and what `/status` answers with. */
import { z } from 'zod';
import type { Pipeline } from '../pipeline.ts';

const dollars = z.number().nullable();

/** Version 1; further fields may join. */
export const instanceStatusSchema = z.object({
  spec: z.literal('status/1'),
  version: z.string(),
  pid: z.int(),
  roles: z.array(z.string()),
  /** ISO 8601, UTC. */
  startedAt: z.string(),
  /** When these figures were read. */
  at: z.string(),
  /** Null where another process captures. */
  capture: z
    .object({
      connected: z.boolean(),
      rows: z.number(),
      /** Within the last seconds. */
      rowsPerSecond: z.number(),
      lagMs: z.number().nullable(),
      lagBytes: z.number().nullable(),
      openSessions: z.number(),
      trajectories: z.number(),
      slot: z.object({
        retainedBytes: z.number(),
        safeBytes: z.number().nullable(),
        walStatus: z.string(),
      }),
      /** While history is read. `startedAt` in milliseconds since 1970. */
      history: z.object({ rows: z.number(), estimatedRows: z.number().nullable(), startedAt: z.number() }).nullable(),
    })
    .nullable(),
  /** Messages of the topics that are open here. */
  messages: z.object({ waiting: z.number(), inWork: z.number(), parked: z.number() }),
  /** Of the data directory; null where none is kept here, or nothing was counted yet. Unknown cost is null. */
  dataset: z.object({ pairs: z.number(), rejected: z.number(), costUsd: dollars }).nullable(),
  /** Of the current day and month, UTC; empty where no model is called. */
  spending: z.array(
    z.object({ scope: z.enum(['day', 'month']), period: z.string(), limitUsd: dollars, spentUsd: z.number() }),
  ),
  /** What compiling waits for. */
  paused: z.object({ code: z.string(), message: z.string(), until: z.string() }).nullable(),
  /** What is needed and was away when it was last asked; null for nothing. */
  away: z.string().nullable(),
});
export type InstanceStatus = z.infer<typeof instanceStatusSchema>;

/** Who runs. */
export type Identity = Pick<InstanceStatus, 'version' | 'pid' | 'roles' | 'startedAt'>;

/** Reads all figures; over Kafka that asks the brokers. `before` is what the rate is told from. */
export async function readStatus(
  pipeline: Pipeline,
  identity: Identity,
  before: InstanceStatus | null,
): Promise<InstanceStatus> {
  const lags = await pipeline.lags();
  const sum = (of: (lag: (typeof lags)[number]['lag']) => number) => lags.reduce((all, { lag }) => all + of(lag), 0);
  const size = await pipeline.dataset();
  const spending = await pipeline.spending();
  const pause = pipeline.paused();
  const at = new Date().toISOString();
  return {
    spec: 'status/1',
    ...identity,
    at,
    capture: captureOf(pipeline, at, before),
    messages: {
      waiting: sum(({ messages }) => messages),
      inWork: sum(({ inWork }) => inWork),
      parked: sum(({ deadLetters }) => deadLetters),
    },
    dataset: size === null ? null : { pairs: size.pairs, rejected: size.rejected, costUsd: size.costUsd },
    spending: spending.map(({ scope, period, limitUsd, spentUsd }) => ({ scope, period, limitUsd, spentUsd })),
    paused: pause === null ? null : { ...pause, until: pause.until.toISOString() },
    away: pipeline.away(),
  };
}

function captureOf({ capture }: Pipeline, at: string, before: InstanceStatus | null): InstanceStatus['capture'] {
  if (capture === null) return null;
  const { rows, open, sealed } = capture.journal.totals();
  const source = capture.source.status();
  const { connected, lagMs, lagBytes, retainedBytes, safeWalBytes: safeBytes, walStatus, history } = source;
  const seconds = before === null ? 0 : (Date.parse(at) - Date.parse(before.at)) / 1000;
  const more = rows - (before?.capture?.rows ?? rows);
  return {
    connected,
    rows,
    rowsPerSecond: seconds > 0 ? more / seconds : 0,
    lagMs,
    lagBytes,
    openSessions: open,
    trajectories: sealed,
    slot: { retainedBytes, safeBytes, walStatus },
    history,
  };
}
