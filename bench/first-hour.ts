/**
 * Walks through a first hour as somebody who comes with a table of their own, and writes what every command printed to
 * docs/first-hour.md: a fresh clone of the last commit, a real Postgres, the simulated fleet in the place of agents, and
 * a real Prometheus.
 *
 *     npm run drill:first-hour
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEmbeddedPostgres } from '../src/postgres/embedded.ts';
import { firstHour } from './first-hour/story.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'first-hour-'));
const say = (line: string) => void process.stdout.write(`${line}\n`);
// As servers are before anybody thinks of replication.
const postgres = await startEmbeddedPostgres({ settings: { wal_level: null } });
try {
  const text = await firstHour({ repository, folder, postgres, say });
  const path = join(repository, 'docs', 'first-hour.md');
  writeFileSync(path, text);
  say(`wrote ${path}`);
} finally {
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}
