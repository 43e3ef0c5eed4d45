/** A log with a past, whose reading is killed again and again: see bench/drill-capture.ts. */
import { join } from 'node:path';
import type { CrashPoint } from '../../src/crash-points.ts';
import { Dice } from '../../src/demo/dice.ts';
import { queryOn } from '../../test/support/postgres.ts';
import { askWitness, createWitness, readEnding, readLog, readParts, readSnapshot } from './capture-evidence.ts';
import { judge, type SealedNow } from './capture-history.ts';
import { complete, start } from './capture-process.ts';
import { freshTally, type Lane, type Tally } from './capture-tally.ts';

export const pastPoints = ['history.reading', 'history.done'] as const satisfies CrashPoint[];

export interface PastOptions {
  /** Of the reading; then once when it is done. */
  killsWhileReading: number;
  seed: number;
}

const existing = 1_500;

/** Sessions of all lengths, told apart and in order by their times, which are shared now and then. */
const fill = `INSERT INTO audit_log (session_id, agent, tool, response, created_at)
  SELECT 'past-' || (n * 7919) % 60, 'drill', 'read', jsonb_build_object('text', repeat('r', 100 + n % 900)),
         clock_timestamp() - interval '1 hour' + (n / 3) * interval '2 s'
    FROM generate_series(1, ${existing}) AS n`;

const arrive = `INSERT INTO audit_log (session_id, agent, tool) SELECT $1, 'drill', 'read' FROM generate_series(1, 12)`;

export async function drillPast({ server, program, dir, settings, say }: Lane, options: PastOptions): Promise<Tally> {
  const { killsWhileReading, seed } = options;
  const dice = new Dice(seed);
  const tally = freshTally();
  const name = `drill_past_${seed}`;
  const url = await server.createDatabase();
  const envOf = (slot: string) => ({
    ...settings,
    ...{ TC_POSTGRES_URL: url, TC_POSTGRES_SLOT: slot, TC_DATA_DIR: join(dir, slot), TC_CAPTURE_BATCH_ROWS: '100' },
  });
  const env = envOf(name);
  await complete(program, ['init', '--create-table'], env);
  await queryOn(url, fill);
  await createWitness(url, `${name}_witness`);

  const args = ['run', '--from', 'beginning', '--until-idle'];
  const snapshots: SealedNow[][] = [];
  const crashes = [
    ...Array.from({ length: killsWhileReading }, () => ({ point: pastPoints[0], time: dice.int(1, 15) })),
    { point: pastPoints[1], time: 1 },
  ];
  for (const [i, crash] of crashes.entries()) {
    const running = start(program, args, { env, crash });
    await queryOn(url, arrive, [`arriving-${i}`]);
    const { signal, code, stderr } = await running.ended;
    if (signal === 'SIGKILL') tally.kills[crash.point] = (tally.kills[crash.point] ?? 0) + 1;
    else tally.unexpected.push(`history ended with ${code}, not at ${crash.point}:${crash.time}: ${stderr}`);
    snapshots.push(readSnapshot(env.TC_DATA_DIR));
  }
  await complete(program, args, env);

  const again = envOf(`${name}_again`);
  await complete(program, ['init'], again);
  await complete(program, args, again);
  const rows = await readLog(url, { existing, places: await askWitness(url, `${name}_witness`) });
  const parts = readParts(env.TC_DATA_DIR);
  const replayed = readParts(again.TC_DATA_DIR);
  tally.add(judge({ rows, parts, snapshots, samples: [], ending: readEnding(env.TC_DATA_DIR), replayed }));
  Object.assign(tally, { rows: rows.length, parts: parts.length });
  for (const slot of [name, `${name}_again`, `${name}_witness`]) {
    await queryOn(url, `SELECT pg_drop_replication_slot('${slot}')`);
  }
  say(`history: killed ${crashes.length} times, then read: ${parts.length} parts`);
  return tally;
}
