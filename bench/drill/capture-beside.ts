/**
 * Rows that come in beside the stream: a backfill of what was there before the capture, and a recovery of what was
 * committed while there was no slot, both killed again and again. See bench/drill-capture.ts.
 */
import { join } from 'node:path';
import type { CrashPoint } from '../../src/crash-points.ts';
import { Dice } from '../../src/demo/dice.ts';
import { createTableSql } from '../../src/postgres/audit-table.ts';
import { queryOn } from '../../test/support/postgres.ts';
import { readEnding, readLog, readParts, readSnapshot } from './capture-evidence.ts';
import { judge, type SealedNow } from './capture-history.ts';
import { complete, start } from './capture-process.ts';
import { freshTally, type Lane, type Tally } from './capture-tally.ts';

export const besidePoints = [
  'injection.reading',
  'injection.done',
  'recover.created',
  'recover.adopted',
] as const satisfies CrashPoint[];

export interface BesideOptions {
  killsWhileReading: number;
  seed: number;
}

/** Rows of sessions of their own and of shared ones, no two of a time. */
const append = `INSERT INTO audit_log (session_id, agent, tool, response, created_at)
  SELECT CASE n % 3 WHEN 0 THEN 'shared-' || n % 7 ELSE $1 || '-' || n % 20 END, 'drill', 'read',
         jsonb_build_object('text', repeat('r', 100 + n % 900)), clock_timestamp() + n * interval '7 us'
    FROM generate_series(1, $2::int) AS n`;

export async function drillBeside(lane: Lane, { killsWhileReading, seed }: BesideOptions): Promise<Tally> {
  const { server, program, dir, settings, say } = lane;
  const dice = new Dice(seed);
  const tally = freshTally();
  const slot = `drill_beside_${seed}`;
  const url = await server.createDatabase();
  const dataDir = join(dir, slot);
  const at = { TC_POSTGRES_URL: url, TC_POSTGRES_SLOT: slot, TC_DATA_DIR: dataDir, TC_CAPTURE_BATCH_ROWS: '100' };
  const env = { ...settings, ...at };
  const snapshots: SealedNow[][] = [];
  const insert = (name: string, rows: number) => queryOn(url, append, [name, rows]);
  const killAt = async (args: string[], point: (typeof besidePoints)[number], time: number) => {
    const running = start(program, args, { env, crash: { point, time } });
    await insert(`during-${point}-${time}`, 60);
    const { signal, code, stderr } = await running.ended;
    if (signal === 'SIGKILL') tally.kills[point] = (tally.kills[point] ?? 0) + 1;
    else tally.unexpected.push(`${args[0]} ended with ${code}, not at ${point}:${time}: ${stderr}`);
    snapshots.push(readSnapshot(dataDir));
  };

  for (const statement of createTableSql({ table: 'public.audit_log' })) await queryOn(url, statement);
  await insert('before', 800);
  await complete(program, ['init'], env);
  await complete(program, ['run', '--once'], env);
  const backfill = ['backfill', '--since', '2000-01-01'];
  for (let i = 0; i < killsWhileReading; i++) await killAt(backfill, 'injection.reading', dice.int(1, 8));
  await killAt(backfill, 'injection.done', 1);
  await complete(program, ['run', '--until-idle'], env);

  await queryOn(url, `SELECT pg_drop_replication_slot('${slot}')`);
  await insert('in-the-gap', 300);
  await killAt(['recover'], 'recover.created', 1);
  await killAt(['recover'], 'recover.adopted', 1);
  await insert('after', 100);
  await complete(program, ['run', '--until-idle'], env);

  // Positions of rows that came in beside the stream say nothing of when they were committed.
  const rows = await readLog(url, { places: null });
  const parts = readParts(dataDir);
  tally.add(judge({ rows, parts, snapshots, samples: [], ending: readEnding(dataDir), replayed: null }));
  Object.assign(tally, { rows: rows.length, parts: parts.length });
  await queryOn(url, `SELECT pg_drop_replication_slot('${slot}')`);
  say(`beside the stream: killed ${snapshots.length} times, then taken in: ${parts.length} parts`);
  return tally;
}
