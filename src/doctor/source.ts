/** Postgres, as a capture needs it, or as a worker does that reads large trajectories there. */
import type { Checklist } from '../checks.ts';
import type { Config } from '../config.ts';
import { openAuditReader } from '../postgres/rows.ts';
import { captureSettings, tableSettings, urlOf } from '../stages.ts';
import { preflight } from '../stream/preflight.ts';
import type { StoredStart } from '../stream/start.ts';

export async function examineSource(list: Checklist, config: Config, start: StoredStart | null): Promise<void> {
  const settings = await list.attempt('settings', () => captureSettings(config));
  if (settings !== null) list.add(...(await preflight(settings, start)));
}

/** Over Kafka a large trajectory stays in the audit log, and whoever compiles it reads it there. */
export async function examineClaims(list: Checklist, config: Config): Promise<void> {
  await list.attempt(
    'claims_readable',
    async () => (await openAuditReader({ url: urlOf(config), ...tableSettings(config) })).close(),
    () => `${config['postgres.table']} can be read, as trajectories that are too large for a message are`,
  );
}
