/** The script for the server's administrator, by what the server says, or by the settings alone where it can't be asked. */
import type { Config } from '../config.ts';
import { messageOf, OperatorError } from '../errors.ts';
import { targetOf } from '../postgres/connection.ts';
import { captureSettings } from '../stages.ts';
import { readSetupFacts, roleOf, type SetupFacts } from './setup-facts.ts';
import { setupSql, type Unasked } from './setup-sql.ts';

export interface AdministratorSql {
  sql: string;
  /** Why the server was not asked; null where it was. */
  unasked: string | null;
}

/** @throws OperatorError where the settings and the table contradict each other, `failover_version`, `shard_version`, `shard_column`. */
export async function administratorSql(
  config: Config,
  { role, createTable }: { role: string | undefined; createTable: boolean },
): Promise<AdministratorSql> {
  const url = config['postgres.url'];
  // The names are needed here, and where they lead to is not.
  const settings = captureSettings({ ...config, 'postgres.url': url ?? 'postgres://' });
  const known = url === null ? notSet(role) : await ask();
  const supabase = url !== null && /\.supabase\.(co|com)$/.test(targetOf(url).host);
  return {
    sql: setupSql({ settings, createTable, supabase }, known),
    unasked: 'version' in known ? null : known.why,
  };

  async function ask(): Promise<SetupFacts | Unasked> {
    try {
      return await readSetupFacts(settings, { role, createTable });
    } catch (error) {
      if (!(error instanceof OperatorError) || !unanswered.has(error.code)) throw error;
      const { database } = targetOf(settings.url);
      return {
        role: role ?? roleOf(settings.url),
        database,
        why: `The server could not be asked (${messageOf(error)})`,
      };
    }
  }
}

/** The role may be what is still to be created. */
const unanswered = new Set(['source_auth', 'source_unreachable', 'source_failed', 'source_tls', 'source_database']);

function notSet(role: string | undefined): Unasked {
  return {
    role: role ?? roleOf(null),
    database: null,
    why: 'postgres.url is not set, so the server could not be asked',
  };
}
