/** Noise, then quiet, then the count: see bench/drill-kafka.ts. */
import { Dice } from '../../src/demo/dice.ts';
import { pause } from '../../src/lifecycle.ts';
import { countIn } from '../../test/e2e/pipe.ts';
import type { KafkaVersion, TestKafka } from '../../test/support/kafka.ts';
import { queryOn } from '../../test/support/postgres.ts';
import { type Comparison, compareSinks, qualifyingSessions } from './compare.ts';
import { keepRunning, type Member } from './member.ts';
import { readMessages, type TopicMessage } from './messages.ts';
import { type Servers, startServers } from './servers.ts';
import { keepLoading, type Loaded, recordedSessions } from './sessions.ts';

export interface DrillOptions {
  noiseMs: number;
  /** The noise goes on until this many trajectories are in the first sink, and a worker crashed before it acknowledged. */
  compiledAtLeast: number;
  /** But no longer than this. */
  noiseTimeoutMs?: number;
  seed: number;
  version?: KafkaVersion;
  /** A session is written this often. */
  loadEveryMs?: number;
  brokerKillEveryMs?: number;
  /** How long the rest may take once the noise is over. */
  quietTimeoutMs?: number;
  say: (sentence: string) => void;
}

export interface MessageCount {
  messages: number;
  /** Those whose id an earlier one has too. */
  repeated: number;
}

export interface DrillReport extends Comparison {
  loaded: Loaded;
  kills: Record<string, number>;
  /** Of compile workers, after they published and before they acknowledged. */
  crashes: number;
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

const reportEveryMs = 15_000;
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
      // Between publishing and acknowledging, where what was published comes again for certain.
      const crashAt = role === 'compile' ? 'compile.published:10' : undefined;
      members.push(await keepRunning(part, role, servers.settings(part, sinks), { onOwnEnd: options.say, crashAt }));
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
  const { seed, say, loadEveryMs = 300, brokerKillEveryMs = 30_000, quietTimeoutMs = 300_000 } = options;
  const dataDir = servers.settings('sink-sqlite').TC_DATA_DIR!;
  const stored = () => countIn(`${dataDir}/qa_pairs.sqlite`, 'SELECT count(*) FROM trajectories');

  const over = new AbortController();
  const noise = over.signal;
  const [, loaded, brokerKills] = await Promise.all([
    untilEnough(options, () => ({ stored: stored(), crashes: crashesOf(members) })).then(() => over.abort()),
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

  const deadLetters = await sumOver(members, 'tc_topic_dead_letters');
  const comparison = await compareSinks(servers.logUrl, servers.mirrorUrl, dataDir);
  const read = (topic: string) => readMessages(servers.kafka.brokers, `${servers.topicPrefix}${topic}`);
  const [trajectories, compiled] = [await read('trajectories'), await read('compiled')];
  for (const id of [...comparison.lost, ...comparison.altered]) say(whereabouts(id, { trajectories, compiled }));
  if (comparison.lost.length > 0) for (const line of await depths(members)) say(line);
  const codes = await Promise.all(members.map(async (member) => [member.name, await member.stop()] as const));
  return {
    ...comparison,
    loaded,
    kills: Object.fromEntries(members.map(({ name, figures }) => [name, figures.kills])),
    crashes: crashesOf(members),
    brokerKills,
    ownEnds: members.reduce((sum, { figures }) => sum + figures.ownEnds, 0),
    compiledDuringNoise,
    quietMs,
    trajectories: countOf(trajectories),
    compiled: countOf(compiled),
    absorbed: absorbedBy(members),
    deadLetters,
    uncleanStops: codes.filter(([, code]) => code !== 0).map(([name, code]) => `${name}: ${code}`),
  };
}

function countOf(messages: TopicMessage[]): MessageCount {
  return { messages: messages.length, repeated: messages.length - new Set(messages.map(({ id }) => id)).size };
}

/** On which topics a session is, so that whoever lost it can be found. */
function whereabouts(sessionId: string, topics: Record<string, TopicMessage[]>): string {
  const found = Object.entries(topics).map(([topic, messages]) => {
    const places = messages.filter(({ key }) => key === sessionId).map((at) => `${at.partition}/${at.offset} ${at.id}`);
    return `${topic}: ${places.join(', ') || 'no'}`;
  });
  return `${sessionId}: ${found.join('; ')}`;
}

async function depths(members: Member[]): Promise<string[]> {
  return Promise.all(
    members.map(async (member) => {
      const metrics = await member.metrics();
      return `${member.name}: ${metrics?.get('tc_topic_depth') ?? 'no'} messages wait`;
    }),
  );
}

async function untilEnough(
  { noiseMs, noiseTimeoutMs = 3 * noiseMs, compiledAtLeast, say }: DrillOptions,
  look: () => { stored: number; crashes: number },
): Promise<void> {
  const begun = performance.now();
  for (;;) {
    await pause(Math.min(reportEveryMs, noiseMs));
    const { stored, crashes } = look();
    const elapsedMs = performance.now() - begun;
    say(
      `after ${Math.round(elapsedMs / 1000)} s: ${stored} trajectories in the first sink, ${crashes} crashes before an acknowledgement`,
    );
    const enough = elapsedMs >= noiseMs && stored >= compiledAtLeast && crashes > 0;
    if (enough || elapsedMs >= noiseTimeoutMs) return;
  }
}

function crashesOf(members: Member[]): number {
  return members.reduce((sum, { figures }) => sum + figures.crashes, 0);
}

function absorbedBy(members: Member[]): number {
  return members.reduce((sum, { figures }) => sum + figures.absorbed, 0);
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
