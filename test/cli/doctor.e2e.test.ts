/** `doctor` as its users run it. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAuditLog } from '../support/capture.ts';
import { runCli } from '../support/cli.ts';
import { queryOn, startPostgres, type TestPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
let dir: string;

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'tc-doctor-'));
});
afterAll(async () => {
  await postgres?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const doctor = (env: Record<string, string>, ...flags: string[]) => runCli(['doctor', ...flags], { env, cwd: dir });

interface Line {
  part: string;
  name: string;
  outcome: string;
  remedy: string | null;
}

test('doctor says what is wrong, with an exit code, and leaves nothing behind', async () => {
  const options = await createAuditLog(await postgres.createDatabase());
  const env = { TC_POSTGRES_URL: options.url, TC_POSTGRES_SLOT: options.slot, TC_POSTGRES_PUBLICATION: 'p' };
  const [well, away] = await Promise.all([
    doctor(env, '--json'),
    doctor({ ...env, TC_POSTGRES_URL: 'postgres://nobody:hunter2@127.0.0.1:1/nowhere' }),
  ]);
  expect(well.code, well.stderr).toBe(0);
  const lines = well.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  expect(lines).toContainEqual(
    expect.objectContaining({ part: 'source', name: 'publication', outcome: 'ok', remedy: null }),
  );
  expect(lines).toContainEqual(expect.objectContaining({ part: 'data directory', name: 'disk' }));
  expect(lines.filter(({ outcome, name }) => outcome === 'warning' && name === 'max_slot_wal_keep_size')).toHaveLength(
    1,
  );
  expect(away.code).toBe(5);
  expect(away.stdout).toMatch(/^FAILURE source_unreachable: /m);
  expect(away.stdout + away.stderr).not.toContain('hunter2');
  expect(readdirSync(dir)).toEqual([]);

  const taken = await runCli(['run', '--once'], { env, cwd: dir });
  expect(taken.code, taken.stderr).toBe(0);
  expect(taken.stderr).toContain('max_slot_wal_keep_size is -1');
  await queryOn(options.url, "INSERT INTO audit_log (session_id) VALUES ('s')");
  await queryOn(options.url, `SELECT pg_replication_slot_advance('${options.slot}', pg_current_wal_flush_lsn())`);
  const ahead = await doctor(env);
  expect(ahead.code).toBe(3);
  expect(ahead.stdout).toMatch(/^FAILURE slot_ahead: .*recover/m);
  expect(ahead.stdout).toMatch(/^ok journal: .*journal\.sqlite/m);
  expect(ahead.stderr).toMatch(/\d+ checks: 1 failure, \d+ warnings?/);
});
