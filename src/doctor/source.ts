/** Postgres, as a capture needs it, or as a worker does that reads large trajectories there. */
import { type Check, type Checklist, failure, ok } from '../checks.ts';
import type { Config } from '../config.ts';
import { openAuditReader } from '../postgres/rows.ts';
import { captureSettings, filesOf, sessionRules, tableSettings, urlOf } from '../stages.ts';
import { preflight } from '../stream/preflight.ts';
import type { StoredStart } from '../stream/start.ts';
import { readSource } from './files.ts';

export async function examineSource(list: Checklist, config: Config, start: StoredStart | null): Promise<void> {
  await list.attempt('session_rules', () => sessionRules(config));
  const settings = await list.attempt('settings', () => captureSettings(config));
  if (settings === null) return;
  const checks = await preflight(settings, start);
  list.add(...checks);
  const known = start === null ? null : readSource(filesOf(config).journal);
  if (known === null || checks.some(({ outcome }) => outcome === 'failure')) return;
  list.add(await list.attempt('journal_source', () => journalCheck(config, known)));
}

/** A journal belongs to one table of one server. */
async function journalCheck(config: Config, known: string): Promise<Check> {
  const reader = await openAuditReader({ url: urlOf(config), ...tableSettings(config) });
  await reader.close();
  const { journal } = filesOf(config);
  if (reader.source === known) return ok('journal_source', `${journal} belongs to this table`);
  return failure(
    'journal_other_source',
    `${journal} belongs to another table, database or server than postgres.url and postgres.table name`,
    'set another dataDir (TC_DATA_DIR), or name the former table',
  );
}

/** Over Kafka a large trajectory stays in the audit log, and whoever compiles it reads it there. */
export async function examineClaims(list: Checklist, config: Config): Promise<void> {
  await list.attempt(
    'claims_readable',
    async () => (await openAuditReader({ url: urlOf(config), ...tableSettings(config) })).close(),
    () => `${config['postgres.table']} can be read, as trajectories that are too large for a message are`,
  );
}
