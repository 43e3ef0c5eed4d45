/** A process of the pipe that is started again whenever it ends, as an orchestrator would. */
import { pause } from '../../src/lifecycle.ts';
import { type Running, startCli } from '../../test/support/cli.ts';
import { freePort } from '../../test/support/free-port.ts';
import { readMetrics } from './scrape.ts';

export interface MemberFigures {
  /** By kill -9. */
  kills: number;
  /** At the crash point that it was armed with. */
  crashes: number;
  /** Ended by itself: after a while without brokers, for one. */
  ownEnds: number;
  /** Deliveries that were known by their id and absorbed, summed over all starts; what the last second saw may lack. */
  absorbed: number;
}

export interface Member {
  name: string;
  figures: MemberFigures;
  kill(): void;
  /** Of its gauges and counters by name, summed over their labels; null while it does not answer. */
  metrics(): Promise<Map<string, number> | null>;
  /** Ends it as an operator does. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

const restartAfterMs = 300;
const watchEveryMs = 500;

export async function keepRunning(
  name: string,
  role: string,
  env: Record<string, string>,
  { onOwnEnd, crashAt }: { onOwnEnd: (sentence: string) => void; crashAt?: string | undefined },
): Promise<Member> {
  const port = await freePort();
  const figures: MemberFigures = { kills: 0, crashes: 0, ownEnds: 0, absorbed: 0 };
  const stopping = new AbortController();
  let running: Running;
  let absorbedBefore = 0;
  let killed = false;
  let starts = 0;

  const start = () => {
    killed = false;
    // Every other start is left to the kills from outside.
    const armed = crashAt !== undefined && starts++ % 2 === 0 ? { TRAJECTORY_COMPILER_CRASH_AT: crashAt } : {};
    running = startCli(['run', '--role', role], { env: { ...env, ...armed, TC_METRICS_PORT: String(port) } });
  };
  const keep = async () => {
    while (!stopping.signal.aborted) {
      start();
      const { code, signal, stderr } = await running.finished;
      if (stopping.signal.aborted) return code;
      absorbedBefore = figures.absorbed;
      if (killed) figures.kills++;
      else if (signal === 'SIGKILL') figures.crashes++;
      else {
        figures.ownEnds++;
        onOwnEnd(`${name} ended by itself with ${code}: ${stderr.trim().split('\n').at(-1)}`);
      }
      await pause(restartAfterMs, stopping.signal);
    }
    return 0;
  };
  const watch = async () => {
    while (!stopping.signal.aborted) {
      const seen = (await readMetrics(port))?.get('tc_topic_duplicates_total');
      if (seen !== undefined) figures.absorbed = Math.max(figures.absorbed, absorbedBefore + seen);
      await pause(watchEveryMs, stopping.signal);
    }
  };
  const kept = keep();
  const watched = watch();
  return {
    name,
    figures,
    kill: () => {
      killed = running.child.kill('SIGKILL');
    },
    metrics: () => readMetrics(port),
    stop: async () => {
      stopping.abort();
      running.child.kill('SIGTERM');
      await watched;
      return await kept;
    },
  };
}
