/** URLs that give access: with user and password (RFC 3986, userinfo), of databases, and hooks whose path is the secret. */
import type { Detection } from '../detection.ts';

const maxScheme = 24;
const scheme = /(?:^|[^A-Za-z0-9+.-])((?:jdbc:)?[A-Za-z][A-Za-z0-9+.-]{1,20})$/;
const databases =
  /^(?:jdbc:)?(?:postgres(?:ql)?|mysqlx?|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse|cockroachdb|cassandra|neo4j|bolt|influxdb|db2|nats|kafka|ldaps?|snowflake|couchbase|libsql)(?:[+:][a-z0-9_+]+)?$/i;

const userinfo = /([^\s/?#:"'`<>⟦⟧\\]{0,256}):([^\s/?#"'`<>⟦⟧\\]{1,256})@(?=[\w[⟦.-])/y;
/** Passwords of databases are often written as they are, with the characters that a URL would encode. */
const wideUserinfo = /([^\s/?#:"'`<>⟦⟧\\]{0,256}):(?!\d{1,5}\/)([^\s"'`<>⟦⟧\\]{1,256})@(?=[\w[⟦.-])/y;
const tokenAsUser = /(?=[^\s@]{0,256}\d)[\w.~%-]{20,256}@(?=[\w[])/y;
const rest = /[^\s"'`<>⟦⟧\\]{0,512}/y;
const passwordParameter = /[?&;](?:password|pwd|sslpassword|authtoken)=[^&;\s"'`<>⟦⟧\\$]{3,}/i;

/** The documentation of Slack, Discord and Microsoft Teams calls these addresses secrets. */
const hook =
  /(?:hooks\.slack\.com\/(?:services|workflows|triggers)\/T\w{6,}\/\w{6,}\/[\w/]{16,}|(?:\w+\.)?discord(?:app)?\.com\/api\/(?:v\d+\/)?webhooks\/\d{15,}\/[\w-]{50,}|[\w-]+\.webhook\.office\.com\/webhookb2\/[\w@-]{70,}\/IncomingWebhook\/[\w/-]{60,})/y;

/** What stands for a password, or shows that one was left out. */
const standIn =
  /^(?:\$\{?\(?[A-Za-z_]\w*[)}]?|%[A-Za-z_]\w*%|\{+[\w.]*\}+|<.*|[*•xX.…]+|\[?redacted\]?|\[?masked\]?)$/i;

export function findUrls(text: string, found: Detection[]): void {
  for (let at = text.indexOf('://'); at >= 0; at = text.indexOf('://', at + 3)) {
    const name = scheme.exec(text.slice(Math.max(0, at - maxScheme), at))?.[1];
    if (name === undefined) continue;
    const detection = databases.test(name)
      ? databaseUrl(text, at, name)
      : credentialUrl(text, at + 3, at - name.length);
    if (detection !== null) found.push(detection);
  }
}

function databaseUrl(text: string, at: number, name: string): Detection | null {
  const from = at - name.length;
  wideUserinfo.lastIndex = at + 3;
  const match = wideUserinfo.exec(text);
  const known = match !== null && !standIn.test(match[2]!);
  rest.lastIndex = known ? wideUserinfo.lastIndex : at + 3;
  const tail = rest.exec(text)?.[0] ?? '';
  if (!known && !passwordParameter.test(tail)) return null;
  return { kind: 'CONNECTION_STRING', from, to: rest.lastIndex - trailingMarks(tail), certain: true };
}

/** A URL in a sentence is followed by what ends the sentence. */
const trailingMarks = (tail: string) => tail.length - tail.replace(/[.,;:!?)\]}]+$/, '').length;

function credentialUrl(text: string, at: number, schemeAt: number): Detection | null {
  userinfo.lastIndex = at;
  const match = userinfo.exec(text);
  if (match !== null) {
    if (standIn.test(match[2]!)) return null;
    return { kind: 'CREDENTIAL_URL', from: at, to: userinfo.lastIndex - 1, certain: true };
  }
  hook.lastIndex = at;
  if (hook.test(text)) return { kind: 'API_KEY', from: schemeAt, to: hook.lastIndex, certain: true };
  tokenAsUser.lastIndex = at;
  if (!tokenAsUser.test(text)) return null;
  return { kind: 'CREDENTIAL_URL', from: at, to: tokenAsUser.lastIndex - 1, certain: true };
}
