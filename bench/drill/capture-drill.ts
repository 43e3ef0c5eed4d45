/** Starts what the drill of capture needs, runs its parts one after another, and adds up what they found. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Releasers } from '../../src/lifecycle.ts';
import { answer, startGeminiServer } from '../../test/support/gemini-server.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import { besidePoints, drillBeside } from './capture-beside.ts';
import { type FaultName, faultNames } from './capture-faults.ts';
import { drillPast, pastPoints } from './capture-past.ts';
import { compileProgram } from './capture-process.ts';
import { drillStreams, streamPoints } from './capture-stream.ts';
import { type Lane, merged, type Tally } from './capture-tally.ts';

export interface DrillOptions {
  kills: number;
  /** How often each fault strikes a capture that has to live through it. */
  faultRounds: number;
  faults?: readonly FaultName[];
  /** Captures that are killed side by side. */
  captures?: number;
  /** No kill is begun after this. */
  timeoutMs: number;
  seed: number;
  say(sentence: string): void;
}

export const drilledPoints = [...streamPoints, ...pastPoints, ...besidePoints];

const killsWhileReading = 3;
const killsATable = 2 * killsWhileReading + 4;

export async function drillCapture(options: DrillOptions): Promise<Tally> {
  const releasers = new Releasers();
  try {
    const lane = await openLane(options, releasers);
    return await drill(lane, options);
  } finally {
    await releasers.unwind();
  }
}

async function drill(
  lane: Lane,
  { kills, faultRounds, faults = faultNames, captures = 1, seed, timeoutMs }: DrillOptions,
): Promise<Tally> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const tallies: Tally[] = [];
  // One of seven kills hits rows that are read from the table.
  const tables = Math.max(1, Math.round(kills / 7 / killsATable));
  for (let n = 0; n < tables && !deadline.aborted; n++) {
    tallies.push(await drillPast(lane, { killsWhileReading, seed: seed + n }));
    tallies.push(await drillBeside(lane, { killsWhileReading, seed: seed + n }));
  }
  // Several captures at once, each of a log of its own: most of its time one waits.
  const struck = Array.from({ length: faultRounds }, () => faults).flat();
  // A few more than asked for: where the server is away, a capture ends before it is killed.
  const each = Math.max(streamPoints.length, Math.ceil(((kills - tables * killsATable) * 1.05) / captures));
  const streams = Array.from({ length: captures }, (_, n) => ({
    name: `drill_${n}`,
    kills: each,
    killsAtPoints: Math.max(streamPoints.length, Math.round(each * 0.6)),
    faults: struck.filter((_, i) => i % captures === n),
    seed: seed + n,
    deadline,
  }));
  tallies.push(...(await drillStreams(lane, streams)));
  return merged(tallies);
}

async function openLane({ say }: DrillOptions, releasers: Releasers): Promise<Lane> {
  const dir = await mkdtemp(join(tmpdir(), 'tc-drill-'));
  releasers.push('folder', () => rm(dir, { recursive: true, force: true }));
  const program = await compileProgram();
  releasers.push('program', () => program.remove());
  // The least patience a walsender may have here: what is half open is noticed after twice that.
  const server = await startPostgres({ own: true, settings: { fsync: 'on', wal_sender_timeout: '2s' } });
  releasers.push('Postgres', () => server.stop());
  const model = await startGeminiServer();
  releasers.push('model', () => model.close());
  model.play(answer(JSON.stringify({ pairs: [] })));
  return {
    ...{ server: { ...server, restart: oneByOne(server.restart) }, program, dir, say },
    settings: {
      TC_SESSION_IDLE_TIMEOUT: '1s',
      TC_SESSION_MIN_TURNS: '2',
      TC_SESSION_MAX_TURNS: '40',
      TC_METRICS_PORT: '0',
      TC_LOG_LEVEL: 'warn',
      // What is stored is compared with the rows.
      TC_REDACT_MODE: 'off',
    },
    modelSettings: {
      TC_COMPILE_TIER: 'cheap',
      TC_GEMINI_API_KEY: 'not-a-real-key',
      TC_GEMINI_BASE_URL: model.baseUrl,
    },
  };
}

function oneByOne<A extends unknown[]>(work: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  return (...args) => {
    const next = last.then(() => work(...args));
    last = next.catch(() => {});
    return next;
  };
}
