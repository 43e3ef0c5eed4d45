/** Asks for the connection string until a server answers. */
import type pg from 'pg';
import { sentenceOf } from '../checks.ts';
import { codeOf, messageOf, OperatorError } from '../errors.ts';
import { clientConfig, openClient, replicationConfig, targetOf } from '../postgres/connection.ts';
import { checkServer } from '../stream/server.ts';
import type { Ask } from './ask.ts';

const about = `The database that holds the audit log, such as postgres://user@db.example.com:5432/app
Leave the password out: it is asked for by itself, and not shown. Neither is ever written into the settings file: TC_POSTGRES_URL holds the string, or a file that TC_POSTGRES_URL_FILE names.`;

export interface Connected {
  url: string;
  /** Whoever asked ends it. */
  client: pg.Client;
}

/** @param known from the environment or a flag; it is tried before anything is asked. */
export async function askConnection(ask: Ask, known: string | null): Promise<Connected> {
  if (known === null) ask.show('Connection', about);
  let typed = known ?? '';
  let untried = known !== null;
  for (;;) {
    if (!untried) typed = await askUrl(ask, typed);
    untried = false;
    const connected = await connect(ask, typed);
    if (connected !== null) return connected;
  }
}

async function askUrl(ask: Ask, before: string): Promise<string> {
  return await ask.text({
    message: 'Connection string',
    placeholder: 'postgres://user@host:5432/database',
    ...(before === '' ? {} : { initial: before }),
    refuse: (answer) => {
      try {
        replicationConfig(answer, { purpose: 'init' });
        return undefined;
      } catch (error) {
        return messageOf(error);
      }
    },
  });
}

/** Null where it was refused, which is said. */
async function connect(ask: Ask, typed: string): Promise<Connected | null> {
  let url = typed;
  for (;;) {
    try {
      replicationConfig(url, { purpose: 'init' });
      const { user, host } = targetOf(url);
      const client = await ask.wait(
        `connecting to ${host} as ${user} …`,
        openClient(clientConfig(url, { purpose: 'init', settings: { statement_timeout: '10s' } })),
      );
      await describe(ask, client, url);
      return { url, client };
    } catch (error) {
      if (!(error instanceof OperatorError) || error.code === 'cancelled') throw error;
      if (codeOf(error) !== 'source_auth' || hasPassword(url)) {
        ask.complain(error.message);
        return null;
      }
      const { user, host } = targetOf(url);
      url = withPassword(typed, await ask.hidden(`Password of ${user} at ${host}`));
    }
  }
}

async function describe(ask: Ask, client: pg.Client, url: string): Promise<void> {
  const { server, checks } = await checkServer(client);
  const { user, host } = targetOf(url);
  ask.tell(
    `PostgreSQL ${Math.floor(server.version / 10_000)} at ${host} answers ${user} in database ${server.database}`,
  );
  for (const check of checks) if (check.outcome === 'failure') ask.complain(sentenceOf(check));
}

function hasPassword(url: string): boolean {
  const parsed = new URL(url);
  return parsed.password !== '' || parsed.searchParams.has('password');
}

/** Without a host, as with a socket, a URL takes no user and no password but as a parameter. */
function withPassword(url: string, password: string): string {
  const parsed = new URL(url);
  if (parsed.host === '') parsed.searchParams.set('password', password);
  else parsed.password = encodeURIComponent(password);
  return parsed.href;
}
