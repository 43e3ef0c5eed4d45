/** The sink supabase, whichever way it is written. */
import type { Checklist } from '../checks.ts';
import type { Config } from '../config.ts';
import { createLogger } from '../log.ts';
import { openMirror } from '../stages.ts';
import { examineDirectMirror } from './mirror-direct.ts';
import { examineRestMirror } from './mirror-rest.ts';

export async function examineMirror(list: Checklist, config: Config, signal: AbortSignal): Promise<void> {
  const { 'supabase.databaseUrl': databaseUrl, 'supabase.url': url, 'supabase.key': key } = config;
  const schema = config['supabase.schema'];
  if (databaseUrl !== null) return await examineDirectMirror(list, { url: databaseUrl, schema });
  if (url !== null && key !== null) return await examineRestMirror(list, { url, key, schema }, signal);
  // Without either there is nothing to open, and that is what it says.
  await list.attempt('sink', () => openMirror(config, createLogger('silent')));
}
