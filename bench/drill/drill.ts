/** Noise, then quiet, then the count: see bench/drill-kafka.ts. */
import { Dice } from '../../src/demo/dice.ts';
import { pause } from '../../src/lifecycle.ts';
import { countIn } from '../../test/e2e/pipe.ts';
import type { KafkaVersion, TestKafka } from '../../test/support/kafka.ts';
import { queryOn } from '../../test/support/postgres.ts';
import { type Comparison, compareSinks, qualifyingSessions } from './compare.ts';
import { keepRunning, type Member } from './member.ts';
import { countMessages, type MessageCount } from './messages.ts';
import { type Servers, startServers } from './servers.ts';
import { keepLoading, type Loaded, recordedSessions } from './sessions.ts';

export interface DrillOptions {
  noiseMs: number;
  seed: number;
  version?: KafkaVersion;
  /** A session is written this often. */
  loadEveryMs?: number;
  brokerKillEveryMs?: number;
  /** How long the rest may take once the noise is over. */
  quietTimeoutMs?: number;
  say: (sentence: string) => void;
}

export interface DrillReport extends Comparison {
  loaded: Loaded;
  kills: Record<string, number>;
  brokerKills: number;
  ownEnds: number;
  compiledDuringNoise: number;
  /** From the end of the noise until both sinks had everything. */
  quietMs: number;
  trajectories: MessageCount;
  compiled: MessageCount;
  absorbed: number;
  deadLetters: number;
  /** Processes that did not end cleanly when told to. */
  uncleanStops: string[];
}

const killEveryMs = { least: 2_000, most: 8_000 };

export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const sessions = recordedSessions();
  options.say(`${sessions.rows.length} ${sessions.what}, to be loaded again and again`);
  const servers = await startServers(options.version);
  const members: Member[] = [];
  try {
    for (const part of ['capture', 'compile-1', 'compile-2', 'compile-3', 'sink-sqlite', 'sink-supabase']) {
      const [role = '', detail] = part.split('-');
      const sinks = role === 'sink' ? detail : undefined;
      members.push(await keepRunning(part, role, servers.settings(part, sinks), options.say));
    }
    return await drill(options, servers, members, sessions);
  } finally {
    await Promise.all(members.map((member) => member.stop()));
    await servers.close();
  }
}

async function drill(
  options: DrillOptions,
  servers: Servers,
  members: Member[],
  sessions: ReturnType<typeof recordedSessions>,
): Promise<DrillReport> {
  const { noiseMs, seed, say, loadEveryMs = 300, brokerKillEveryMs = 30_000, quietTimeoutMs = 300_000 } = options;
  const dataDir = servers.settings('sink-sqlite').TC_DATA_DIR!;
  const stored = () => countIn(`${dataDir}/qa_pairs.sqlite`, 'SELECT count(*) FROM trajectories');

  const noise = AbortSignal.timeout(noiseMs);
  const begun = performance.now();
  const progress = setInterval(() => {
    say(`after ${Math.round((performance.now() - begun) / 1000)} s: ${stored()} trajectories in the first sink`);
  }, 15_000);
  const [loaded, brokerKills] = await Promise.all([
    keepLoading(servers.logUrl, sessions, { everyMs: loadEveryMs, seed, signal: noise }),
    killBroker(servers.kafka, brokerKillEveryMs, noise),
    killMembers(members, new Dice(seed), noise),
  ]);
  const compiledDuringNoise = stored();
  say(`noise over: ${loaded.sessions} sessions loaded, ${compiledDuringNoise} trajectories in the first sink by then`);

  const quietSince = performance.now();
  const expected = (await qualifyingSessions(servers.logUrl)).size;
  const mirrored = async () =>
    Number((await queryOn(servers.mirrorUrl, 'SELECT count(*) AS n FROM trajectories'))[0]?.n);
  const settled = async () => stored() >= expected && (await mirrored()) >= expected && (await isQuiet(members));
  const patience = AbortSignal.timeout(quietTimeoutMs);
  while (!patience.aborted && !(await settled())) await pause(500, patience);
  const quietMs = Math.round(performance.now() - quietSince);

  clearInterval(progress);
  const deadLetters = await sumOver(members, 'tc_dead_letters');
  const comparison = await compareSinks(servers.logUrl, servers.mirrorUrl, dataDir);
  const count = (topic: string) => countMessages(servers.kafka.brokers, `${servers.topicPrefix}${topic}`);
  const [trajectories, compiled] = [await count('trajectories'), await count('compiled')];
  const codes = await Promise.all(members.map(async (member) => [member.name, await member.stop()] as const));
  return {
    ...comparison,
    loaded,
    kills: Object.fromEntries(members.map(({ name, figures }) => [name, figures.kills])),
    brokerKills,
    ownEnds: members.reduce((sum, { figures }) => sum + figures.ownEnds, 0),
    compiledDuringNoise,
    quietMs,
    trajectories,
    compiled,
    absorbed: members.reduce((sum, { figures }) => sum + figures.absorbed, 0),
    deadLetters,
    uncleanStops: codes.filter(([, code]) => code !== 0).map(([name, code]) => `${name}: ${code}`),
  };
}

async function killMembers(members: Member[], dice: Dice, noise: AbortSignal): Promise<void> {
  const { least, most } = killEveryMs;
  for (;;) {
    await pause(least + dice.int(0, most - least), noise);
    if (noise.aborted) return;
    dice.pick(members).kill();
  }
}

async function killBroker(kafka: TestKafka, everyMs: number, noise: AbortSignal): Promise<number> {
  for (let kills = 0; ; kills++) {
    await pause(everyMs, noise);
    if (noise.aborted) return kills;
    await kafka.kill();
    await kafka.restart();
  }
}

/** Nothing waits in the outbox or for any group. */
async function isQuiet(members: Member[]): Promise<boolean> {
  const metrics = await Promise.all(members.map((member) => member.metrics()));
  return metrics.every((of) => of !== null && (of.get('tc_outbox_depth') ?? 0) + (of.get('tc_topic_depth') ?? 0) === 0);
}

async function sumOver(members: Member[], metric: string): Promise<number> {
  const metrics = await Promise.all(members.map((member) => member.metrics()));
  return Math.max(0, ...metrics.map((of) => of?.get(metric) ?? 0));
}
