/** The two ways into the mirror for the contract, and what a mirror holds, as the SQLite file would hold it. */
import pg from 'pg';
import { tableNames } from '../../src/dataset-tables.ts';
import { createLogger } from '../../src/log.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { openPostgresMirror } from '../../src/sinks/supabase/direct.ts';
import { type Mirror, sinkOver } from '../../src/sinks/supabase/mirror.ts';
import { openSupabaseMirror } from '../../src/sinks/supabase/rest.ts';
import { queryOn } from '../support/postgres.ts';
import { createMirror, secretKey, startMirrors, type TestMirror } from '../support/supabase.ts';
import type { Dump, SinkHarness } from './contract.ts';

export type Way = 'direct' | 'rest';

const log = createLogger('silent');
const timestamptz = 1184;
const numeric = 1700;
const bigint = 20;
const boolean = 16;

export async function mirrorHarness(way: Way): Promise<SinkHarness> {
  const postgres = await startMirrors();
  const mirror = await createMirror(postgres);
  return {
    open: () => openSink(way, mirror),
    dump: () => dumpMirror(mirror.databaseUrl),
    clear: () => clearMirror(mirror.databaseUrl),
    dispose: async () => {
      await mirror.close();
      await postgres.stop();
    },
  };
}

export async function openMirror(way: Way, mirror: TestMirror, schema = 'public'): Promise<Mirror> {
  const { databaseUrl, url, fetch } = mirror;
  if (way === 'direct') return await openPostgresMirror({ url: databaseUrl, schema, log });
  return openSupabaseMirror({ url, key: secretKey, schema, log, fetch, backoff: { baseMs: 1, maxMs: 2 } });
}

export async function openSink(way: Way, mirror: TestMirror, schema = 'public'): Promise<Sink> {
  return sinkOver(await openMirror(way, mirror, schema), log);
}

export async function clearMirror(databaseUrl: string): Promise<void> {
  await queryOn(databaseUrl, tableNames.map((table) => `DELETE FROM ${table}`).join('; '));
}

export async function dumpMirror(databaseUrl: string): Promise<Dump> {
  const client = new pg.Client({ connectionString: databaseUrl, types: { getTypeParser: parserOf } as never });
  await client.connect();
  try {
    await client.query("SET TimeZone = 'UTC'");
    const tables: [string, Record<string, unknown>[]][] = [];
    for (const table of [...tableNames, 'sessions']) {
      tables.push([table, (await client.query(`SELECT * FROM ${table}`)).rows]);
    }
    return Object.fromEntries(tables) as Dump;
  } finally {
    await client.end();
  }
}

function parserOf(type: number, format: 'text' | 'binary'): (text: string) => unknown {
  // 2026-03-02 10:00:00.5+00
  if (type === timestamptz) return (text) => `${text.replace(' ', 'T').replace(/(\.\d+)?\+00$/, fraction)}`;
  if (type === numeric || type === bigint) return Number;
  if (type === boolean) return (text) => (text === 't' ? 1 : 0);
  return pg.types.getTypeParser(type, format) as (text: string) => unknown;
}

function fraction(text: string): string {
  return `.${text.replace('+00', '').slice(1).padEnd(6, '0')}Z`;
}
