/** Follows a running pipe for its status line and for whoever asks it. */
import { type Identity, type InstanceStatus, readStatus } from '../instance/status.ts';
import type { Pipeline } from '../pipeline.ts';

/** Over Kafka each reading asks the brokers: no more often than somebody looks. */
const refreshMs = process.stderr.isTTY === true ? 1000 : 5000;
/** The rate is told over at least so long. */
const rateMs = 2000;

export interface FollowedStatus {
  latest(): InstanceStatus;
  stop(): void;
}

/** Reads the figures now and then, so that neither drawing the line nor an answer costs anything. */
export async function followStatus(pipeline: Pipeline, identity: Identity): Promise<FollowedStatus> {
  let latest = await readStatus(pipeline, identity, null);
  let before = latest;
  let reading = false;
  const timer = setInterval(async () => {
    if (reading) return;
    reading = true;
    const next = await readStatus(pipeline, identity, before).catch(() => latest);
    reading = false;
    if (Date.parse(next.at) - Date.parse(before.at) > rateMs) before = latest;
    latest = next;
  }, refreshMs);
  timer.unref();
  return { latest: () => latest, stop: () => clearInterval(timer) };
}
