import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDuplicatePass, tellMirror } from '../../src/duplicates.ts';
import { createLogger } from '../../src/log.ts';
import type { Compiled } from '../../src/records.ts';
import { openSqliteSink } from '../../src/sinks/sqlite.ts';
import {
  type DuplicateMirror,
  openPostgresDuplicates,
  openRestDuplicates,
} from '../../src/sinks/supabase/duplicates.ts';
import { queryOn, type TestPostgres } from '../support/postgres.ts';
import { compiledOf, pairOf, segmentOf, trajectoryOf } from '../support/records.ts';
import { createMirror, secretKey, startMirrors, type TestMirror } from '../support/supabase.ts';
import { openSink, type Way } from './mirror-harness.ts';

const never = new AbortController().signal;

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startMirrors();
});
afterAll(() => postgres.stop());

function asking(nth: number): Compiled {
  const trajectory = trajectoryOf({ sessionId: `s${nth}` });
  const segment = segmentOf(trajectory);
  const pairKey = `key-${nth} "quoted", (in brackets)\\`;
  const pair = pairOf(trajectory, segment, {
    pairKey,
    question: `Who saw #W${nth}?`,
    createdAt: `2026-03-02T10:00:0${nth}Z`,
  });
  return compiledOf({ trajectory, segments: [segment], pairs: [pair] });
}

const openMirror = (way: Way, { databaseUrl, url, fetch }: TestMirror): DuplicateMirror =>
  way === 'direct'
    ? openPostgresDuplicates({ url: databaseUrl, schema: 'public' })
    : openRestDuplicates({ url, key: secretKey, schema: 'public', fetch });

it.each<Way>(['direct', 'rest'])(
  'a mirror holds the same marks as the dataset, also of pairs that come later (%s)',
  async (way) => {
    const folder = mkdtempSync(join(tmpdir(), 'marks-'));
    const mirror = await createMirror(postgres);
    const path = join(folder, 'qa_pairs.sqlite');
    const stored = openSqliteSink({ path, log: createLogger('silent') });
    const mirrored = await openSink(way, mirror);
    const pass = openDuplicatePass(path);
    const marked = openMirror(way, mirror);
    const marks = async () =>
      (await queryOn(mirror.databaseUrl, 'SELECT pair_key, duplicate_of FROM qa_pairs ORDER BY created_at')).map(
        (row) => [row.pair_key?.slice(0, 5), row.duplicate_of?.slice(0, 5) ?? null],
      );
    try {
      for (const nth of [2, 3, 4, 5, 6, 7, 8]) await stored.write(asking(nth), never);
      for (const nth of [2, 3, 4, 5, 6, 7]) await mirrored.write(asking(nth), never);
      pass.mark();
      expect(await tellMirror(pass, marked, never)).toBe(1);
      expect((await marks()).at(-1)).toEqual(['key-7', 'key-2']);
      await stored.write(asking(1), never);
      for (const nth of [8, 1]) await mirrored.write(asking(nth), never);
      pass.mark();
      expect(await tellMirror(pass, marked, never)).toBe(3);
      // Written again, by another compile, a row keeps its mark.
      const again = { ...asking(8), compiledAt: '2026-03-05T00:00:00.000000Z' };
      await mirrored.write({ ...again, pairs: again.pairs.map((pair) => ({ ...pair, answer: 'another' })) }, never);
      const hidden = (await marks()).filter(([, duplicateOf]) => duplicateOf !== null);
      expect(hidden).toEqual([6, 7, 8].map((nth) => [`key-${nth}`, 'key-1']));
      expect(await tellMirror(pass, marked, never)).toBe(0);
    } finally {
      await marked.close();
      pass.close();
      await mirrored.close();
      await stored.close();
      await mirror.close();
      rmSync(folder, { recursive: true });
    }
  },
);
