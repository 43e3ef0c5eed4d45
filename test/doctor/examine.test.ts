import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { failure, ok, warning } from '../../src/checks.ts';
import { examineAll, exitCodeOf } from '../../src/doctor/examine.ts';
import type { Examined } from '../../src/doctor/parts.ts';
import { exitCodes } from '../../src/errors.ts';
import { visitOf } from './looking.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('nothing to mend and warnings are 0, what is away 5, and what has to be changed 3, whatever else is away', () => {
  const away = { ...failure('a', 'away', null), exitCode: exitCodes.sourceUnavailable };
  expect(exitCodeOf([ok('a', 'a'), warning('b', 'b', null)])).toBe(0);
  expect(exitCodeOf([away, warning('b', 'b', null), away])).toBe(5);
  expect(exitCodeOf([away, failure('b', 'b', null)])).toBe(3);
});

async function all(env: Record<string, string>): Promise<Examined[]> {
  const found: Examined[] = [];
  const visit = visitOf({ TC_DATA_DIR: join(dir, 'data'), TC_METRICS_PORT: '0', ...env });
  for await (const examined of examineAll(visit, () => {})) found.push(examined);
  return found;
}

it('parts are those that the settings ask for, and one that fails ends no other', async () => {
  const parts = async (env: Record<string, string>) => (await all(env)).map(({ part }) => part);
  const nowhere = { TC_POSTGRES_URL: 'postgres://nobody@127.0.0.1:1/nowhere' };
  expect(await parts(nowhere)).toEqual(['program', 'settings', 'data directory', 'source', 'redaction', 'metrics']);
  expect(
    await parts({
      ...{ ...nowhere, TC_ROLES: 'compile', TC_COMPILE_TIER: 'cheap', TC_CALLS_URL: nowhere.TC_POSTGRES_URL },
      ...{ TC_TOPICS_TRANSPORT: 'kafka', TC_KAFKA_BROKERS: '127.0.0.1:1' },
    }),
  ).toEqual([
    ...['program', 'settings', 'data directory', 'source', 'Kafka', 'redaction', 'stores', 'spending', 'models'],
    'metrics',
  ]);
  expect(await parts({ TC_ROLES: 'sink', TC_SINKS: 'supabase' })).toEqual([
    ...['program', 'settings', 'data directory', 'sink supabase', 'metrics'],
  ]);
  expect(readdirSync(dir)).toEqual([]);
});
