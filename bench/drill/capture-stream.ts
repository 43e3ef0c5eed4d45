/** One capture of one log, killed and started again and again, then judged: see bench/drill-capture.ts. */
import { join } from 'node:path';
import type { CrashPoint } from '../../src/crash-points.ts';
import { Dice } from '../../src/demo/dice.ts';
import { messageOf } from '../../src/errors.ts';
import { pause, within } from '../../src/lifecycle.ts';
import { parseLsn } from '../../src/stream/lsn.ts';
import { until } from '../../test/support/capture.ts';
import { queryOn, type TestPostgres } from '../../test/support/postgres.ts';
import { startProxy, type TcpProxy } from '../../test/support/tcp-proxy.ts';
import {
  ask,
  askWitness,
  confirmedPosition,
  createWitness,
  readEnding,
  readLog,
  readParts,
  readSnapshot,
} from './capture-evidence.ts';
import { type FaultName, faults, passingFaults } from './capture-faults.ts';
import { judge, type SealedNow } from './capture-history.ts';
import { type Crash, complete, type Ended, type Running, start } from './capture-process.ts';
import { Sampler } from './capture-sampler.ts';
import { freshTally, type Lane, type Tally } from './capture-tally.ts';
import { keepWriting } from './capture-writers.ts';

export const streamPoints = [
  'batch.received',
  'store.committing',
  'store.committed',
  'confirm.sent',
  'outbox.publishing',
  'outbox.published',
  'outbox.marked',
  'outbox.forgotten',
  'compile.recorded',
  'compile.published',
  'sink.written',
] as const satisfies CrashPoint[];

export interface StreamOptions {
  /** Of its slots and folders: several may run on one server. */
  name: string;
  kills: number;
  /** Of the kills, those at a crash point; the others come at random moments. */
  killsAtPoints: number;
  /** Each is struck while a capture runs, which has to recover. */
  faults: readonly FaultName[];
  seed: number;
  /** No more is begun after this. */
  deadline: AbortSignal;
}

/** A capture that does not pass its point in this time is killed at random, and another is given more. */
const reachWithinMs = [15_000, 30_000, 120_000];
const recoverWithinMs = 120_000;
const snapshotEvery = 12;

/** Several at once; none is judged before all have come to the end of their faults, which the server shares. */
export async function drillStreams(lane: Lane, all: readonly StreamOptions[]): Promise<Tally[]> {
  const drills: StreamDrill[] = [];
  try {
    for (const options of all) drills.push(await StreamDrill.open(lane, options));
    await Promise.all(drills.map((drill) => drill.rage()));
    lane.say('writers have stopped; what is left comes to its end');
    return await Promise.all(drills.map((drill) => drill.judge()));
  } finally {
    await Promise.all(drills.map((drill) => drill.close()));
  }
}

interface Slots {
  own: string;
  replay: string;
  witness: string;
}

class StreamDrill {
  readonly #lane: Lane;
  readonly #options: StreamOptions;
  readonly #dice: Dice;
  readonly #proxy: TcpProxy;
  readonly #url: string;
  readonly #slots: Slots;
  readonly #env: Record<string, string>;
  readonly #sampler: Sampler;
  readonly #tally = freshTally();
  readonly #snapshots: SealedNow[][] = [];
  #running: Running | null = null;

  static async open(lane: Lane, options: StreamOptions): Promise<StreamDrill> {
    const url = await lane.server.createDatabase();
    const proxy = await startProxy();
    proxy.target = Number(new URL(url).port);
    const proxied = new URL(url);
    proxied.port = String(proxy.port);
    const slots = { own: options.name, replay: `${options.name}_replay`, witness: `${options.name}_witness` };
    const at = { TC_POSTGRES_URL: proxied.href, TC_POSTGRES_SLOT: slots.own, TC_DATA_DIR: join(lane.dir, slots.own) };
    const env = { ...lane.settings, ...at };
    await complete(lane.program, ['init', '--create-table'], env);
    await queryOn(url, `SELECT pg_copy_logical_replication_slot('${slots.own}', '${slots.replay}')`);
    await createWitness(url, slots.witness);
    const began = await confirmedPosition(url, slots.own);
    const sampler = new Sampler({ url, slot: slots.own, dataDir: at.TC_DATA_DIR, began });
    return new StreamDrill(lane, options, { url, slots, env, proxy, sampler });
  }

  constructor(
    lane: Lane,
    options: StreamOptions,
    parts: { url: string; slots: Slots; env: Record<string, string>; proxy: TcpProxy; sampler: Sampler },
  ) {
    this.#lane = lane;
    this.#options = options;
    this.#dice = new Dice(options.seed);
    this.#url = parts.url;
    this.#slots = parts.slots;
    this.#env = parts.env;
    this.#proxy = parts.proxy;
    this.#sampler = parts.sampler;
  }

  async rage(): Promise<void> {
    const over = new AbortController();
    const beside = [keepWriting(this.#url, this.#options.seed, over.signal), this.#sampler.run(over.signal)];
    const failed = Promise.race(beside.map((work) => work.then(() => new Promise<never>(() => {}))));
    try {
      await Promise.race([this.#rounds(), failed]);
    } finally {
      over.abort();
      await Promise.allSettled(beside);
    }
  }

  async close(): Promise<void> {
    this.#running?.kill();
    await this.#running?.ended;
    await this.#proxy.stop();
  }

  /** Kills and faults, mixed. */
  async #rounds(): Promise<void> {
    const { kills, killsAtPoints, faults: names, deadline } = this.#options;
    const atPoints = Array.from({ length: killsAtPoints }, (_, i) => streamPoints[i % streamPoints.length]!);
    const random = Array.from({ length: kills - killsAtPoints }, () => null);
    const rounds = [
      ...atPoints.map((point) => () => this.#killAt(point)),
      ...random.map(() => () => this.#killAtRandom()),
      ...names.map((name) => () => this.#liveThrough(name)),
    ];
    const inOrder = this.#dice.some(rounds, rounds.length);
    for (const [i, round] of inOrder.entries()) {
      if (deadline.aborted) return;
      await round();
      if (i % snapshotEvery === 0) this.#snapshots.push(readSnapshot(this.#env.TC_DATA_DIR!));
      if (i % 20 === 19)
        this.#lane.say(
          `${this.#slots.own}: ${i + 1} of ${rounds.length} rounds; stored up to ${this.#sampler.stored()}`,
        );
    }
  }

  async #killAt(point: (typeof streamPoints)[number]): Promise<void> {
    for (const [attempt, patienceMs] of reachWithinMs.entries()) {
      const running = this.#start({ point, time: attempt === 0 ? this.#dice.int(1, 4) : 1 });
      const ended = await within(patienceMs, running.ended);
      if (ended !== undefined && this.#ownEnd(ended, point)) continue;
      if (ended === undefined) running.kill();
      await this.#afterKill(running, ended === undefined ? 'random' : point);
      if (ended !== undefined) return;
    }
  }

  async #killAtRandom(): Promise<void> {
    const running = this.#start();
    await pause(this.#dice.int(100, 2_000));
    if (this.#dice.chance(0.2)) {
      await this.#strike(this.#dice.pick(passingFaults));
      await pause(this.#dice.int(0, 500));
    }
    running.kill();
    if (!this.#ownEnd(await running.ended, 'a kill')) await this.#afterKill(running, 'random');
  }

  /** The capture is not killed, and must go on by itself; then it is told to stop. */
  async #liveThrough(name: FaultName): Promise<void> {
    const running = this.#start();
    const ended = { is: null as Ended | null };
    void running.ended.then((how) => {
      ended.is = how;
    });
    const passed = (mark: string) => () => ended.is !== null || (this.#sampler.stored() ?? '') >= mark;
    await until('the capture to catch up', passed(await this.#position()), recoverWithinMs);
    if (ended.is !== null && this.#ownEnd(ended.is, `a start before ${name}`)) {
      // Another capture's faults had the server away just then.
      return await this.#liveThrough(name);
    }
    await this.#strike(name);
    await until(`the capture to go on after ${name}`, passed(await this.#position()), recoverWithinMs);
    running.kill('SIGTERM');
    const { code, stderr } = await running.ended;
    if (code !== 0) this.#tally.unexpected.push(`the capture ended with ${code} after ${name}: ${stderr}`);
    await this.#sampler.take();
  }

  async #strike(name: FaultName): Promise<void> {
    this.#sampler.during = name;
    const { server } = this.#lane;
    this.#tally.faults[name] = (this.#tally.faults[name] ?? 0) + 1;
    await faults[name].strike({ server, proxy: this.#proxy, slot: this.#slots.own, dice: this.#dice });
  }

  #start(crash?: Crash): Running {
    this.#sampler.during = crash === undefined ? 'a random kill' : `a kill at ${crash.point}`;
    const model = crash?.point === 'compile.recorded' ? this.#lane.modelSettings : {};
    this.#running = start(this.#lane.program, ['run'], { env: { ...this.#env, ...model }, crash });
    return this.#running;
  }

  /** True where nobody killed it. A source that is away at the start is a reason to end; what else is one, is none of ours. */
  #ownEnd({ code, signal, stderr }: Ended, during: string): boolean {
    if (signal === 'SIGKILL') return false;
    this.#tally.ownEnds += 1;
    if (code !== 5) this.#tally.unexpected.push(`the capture ended with ${code ?? signal} during ${during}: ${stderr}`);
    return true;
  }

  async #afterKill(running: Running, what: CrashPoint | 'random'): Promise<void> {
    await running.ended;
    this.#tally.kills[what] = (this.#tally.kills[what] ?? 0) + 1;
    await this.#sampler.take();
  }

  async #position(): Promise<string> {
    return parseLsn((await ask(this.#url, 'SELECT pg_current_wal_insert_lsn() AS lsn'))[0]!.lsn!);
  }

  /** What did not end well is judged all the same. */
  async #toTheEnd(env: Record<string, string>): Promise<void> {
    try {
      await complete(this.#lane.program, ['run', '--until-idle'], env);
    } catch (error) {
      this.#tally.unexpected.push(messageOf(error));
    }
  }

  async judge(): Promise<Tally> {
    const dataDir = this.#env.TC_DATA_DIR!;
    await this.#toTheEnd(this.#env);
    await this.#sampler.take();
    this.#snapshots.push(readSnapshot(dataDir));
    const again = {
      ...this.#env,
      TC_DATA_DIR: join(this.#lane.dir, this.#slots.replay),
      TC_POSTGRES_SLOT: this.#slots.replay,
      TC_ROLES: 'capture',
    };
    await this.#toTheEnd(again);
    const rows = await readLog(this.#url, { places: await askWitness(this.#url, this.#slots.witness) });
    const parts = readParts(dataDir);
    this.#tally.rows += rows.length;
    this.#tally.parts += parts.length;
    this.#tally.samples += this.#sampler.samples.length;
    this.#tally.add(
      judge({
        rows,
        parts,
        snapshots: this.#snapshots,
        samples: this.#sampler.samples,
        ending: readEnding(dataDir),
        replayed: readParts(again.TC_DATA_DIR),
      }),
    );
    for (const name of Object.values(this.#slots)) await dropSlot(this.#lane.server, name);
    return this.#tally;
  }
}

async function dropSlot(server: TestPostgres, name: string): Promise<void> {
  const sql = `FROM pg_replication_slots WHERE slot_name = '${name}'`;
  await until(
    `slot ${name} to be free`,
    async () => (await queryOn(server.adminUrl, `SELECT ${sql} AND active`)).length === 0,
  );
  await queryOn(server.adminUrl, `SELECT pg_drop_replication_slot(slot_name) ${sql}`);
}
