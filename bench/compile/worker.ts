/** A compile worker as pipeline.ts wires it, with a clock. */
import { openCompiling } from '../../src/compiling/compiling.ts';
import { loadConfig } from '../../src/config.ts';
import { pause, Releasers } from '../../src/lifecycle.ts';
import { createLogger } from '../../src/log.ts';
import { openTransport } from '../../src/transport/open.ts';
import type { TrajectoryTopic } from '../../src/transport/transport.ts';

export interface Timing {
  /** From the first delivery until the last message was acknowledged. */
  totalMs: number;
  /** From the first delivery until each trajectory's result was published, in the order of finishing. */
  finishedMs: number[];
  /** CPU of this process from the start of the worker to its end. */
  cpuMs: number;
}

/** As in pipeline.ts: while some results are being published, others keep the model busy. */
const inWorkPerCall = 1.25;

export async function workThrough(env: Record<string, string>, count: number): Promise<Timing> {
  const { config } = loadConfig({ env, flags: {} });
  const log = createLogger('warn');
  const releasers = new Releasers();
  const done = new AbortController();
  const cpu = process.cpuUsage();
  try {
    const compiling = await openCompiling(config, log);
    const { stage, calls } = compiling;
    releasers.push('compile stage', () => compiling.close());
    const transport = openTransport(config, { journal: null, calls }, { log, drain: done.signal }, releasers);
    const trajectories = await transport.openTrajectories();
    const compiled = await transport.openCompiled();
    let begunAt = 0;
    const finishedMs: number[] = [];
    const consuming = trajectories.consume(
      async (trajectory, signal) => {
        begunAt ||= performance.now();
        await compiled.publish(await stage.compileTrajectory(trajectory, signal));
        finishedMs.push(performance.now() - begunAt);
      },
      { concurrency: Math.ceil(config['compile.concurrency'] * inWorkPerCall), signal: done.signal },
    );
    await Promise.race([consuming, untilAcknowledged(trajectories, () => finishedMs.length >= count)]);
    const totalMs = performance.now() - begunAt;
    done.abort();
    await consuming;
    const { user, system } = process.cpuUsage(cpu);
    return { totalMs, finishedMs, cpuMs: (user + system) / 1_000 };
  } finally {
    await releasers.unwind();
  }
}

async function untilAcknowledged(topic: TrajectoryTopic, allFinished: () => boolean): Promise<void> {
  while (!allFinished()) await pause(10);
  while ((await topic.lags()).some(({ lag }) => lag.messages > 0)) await pause(10);
}
