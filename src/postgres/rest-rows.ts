/**
 * Reading the audit log through PostgREST: with nothing but the address of a Supabase project and its key.
 *
 * What differs from a direct connection: the source has another name, so that a dataset is filled in one way or the
 * other; pages are read one after the other and not under one snapshot, so a row that is committed late may only be seen
 * the next time; `char(n)` loses its trailing blanks.
 */
import { createHash } from 'node:crypto';
import { exitCodes, stop } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Lsn, Micros, Turn } from '../records.ts';
import { type Mapping, mapColumns, type RowText, type TableSettings, tableName, turnOf } from './audit-table.ts';
import type { TableName } from './quote.ts';
import { bypassesPolicies, openRestTable, type RestOptions, type RestTable } from './rest-client.ts';
import { restFilterName, restList, shortLists } from './rest-grammar.ts';
import { pagesOf, selectionOf, textOf } from './rest-pages.ts';
import { countSessions } from './rest-sessions.ts';
import { type AuditReader, firstHistoryOrdinal, type SessionSummary } from './rows.ts';

export interface RestReaderOptions extends TableSettings, RestOptions {
  log: Logger;
}

export interface RestAuditReader extends Omit<AuditReader, 'table'> {
  /** The clock of the server's gateway before the first row was read; of this moment a session is idle or not. */
  snapshotAt: Micros;
}

/** Rows with bodies: the server puts a page together as one value, and it is held here as text and as rows. */
const pageRows = 100;
const nowhere = '00000000/00000000' as Lsn;

/**
 * @throws OperatorError where address, key, table or columns are not what the settings say: `source_url`, `source_auth`,
 * `source_permission`, `source_table`, `source_column`; `source_unreachable` where trying again may help.
 */
export async function openRestAuditReader({ log, ...options }: RestReaderOptions): Promise<RestAuditReader> {
  const name = tableName(options.table);
  const rest = openRestTable(options, name);
  const [first] = await rest.get([
    ['select', '*'],
    ['limit', '1'],
  ]);
  const of = { source: restSourceName(rest.host, name), snapshotAt: snapshotOf(rest) };
  if (first === undefined) {
    const doubt = bypassesPolicies(options.key) ? '' : ', or hidden by row level security: is it the service-role key?';
    log.warn(`${name.schema}.${name.name} at ${rest.host} gave no rows: it is empty${doubt}`);
    return { ...of, ...nothing };
  }
  // PostgREST has no list of columns that every server gives: those of a row are the table's.
  const columns = Object.keys(first).map((column) => ({ name: column }));
  const mapping = mapColumns(columns, options, `${name.schema}.${name.name}`);
  let sessions: Promise<SessionSummary[]> | null = null;
  return {
    ...of,
    listSessions: async ({ minTurns, limit }) => {
      sessions ??= countSessions(rest, mapping);
      const all = await sessions;
      const long = all.filter(({ turns }) => turns >= minTurns);
      return { sessions: long.slice(0, limit), total: long.length, below: all.length - long.length };
    },
    readSession: (sessionId) => readSession(rest, mapping, sessionId),
    readRows: (keys) => readRows(rest, mapping, keys),
    close: async () => {},
  };
}

const nothing = {
  listSessions: async () => ({ sessions: [], total: 0, below: 0 }),
  readSession: async () => [],
  readRows: async () => [],
  close: async () => {},
};

/** Stable while the project keeps its address, and never that of a direct connection, which knows the cluster. */
function restSourceName(host: string, { schema, name }: TableName): string {
  return createHash('sha256').update(['rest', host, schema, name].join('\0')).digest('hex').slice(0, 32);
}

/**
 * The times of rows would not do: a log that has rested would never be idle, and one agent whose clock is ahead would
 * end every session. No clock of this machine is asked. https://www.rfc-editor.org/rfc/rfc9110#field.date
 */
function snapshotOf(rest: RestTable): Micros {
  const at = rest.firstAnsweredAt();
  if (at !== null && !Number.isNaN(at)) return at;
  throw stop(
    'source_clock',
    `${rest.host} answers without a Date, so it is not known which sessions have ended: let it through in the proxy before it, or set postgres.url (TC_POSTGRES_URL)`,
    { exitCode: exitCodes.configuration },
  );
}

async function readSession(rest: RestTable, mapping: Mapping, sessionId: string): Promise<Turn[]> {
  const session = restFilterName(mapping.names[mapping.at.sessionId]!);
  const rows: RowText[] = [];
  const pages = pagesOf(rest, mapping, { order: 'history', filters: [[session, `eq.${sessionId}`]], pageRows });
  for await (const page of pages) rows.push(...page);
  return historyTurns(rows, mapping);
}

async function readRows(rest: RestTable, mapping: Mapping, keys: string[]): Promise<Turn[]> {
  const rows = new Map<string, RowText>();
  for (const list of shortLists(keys)) {
    for (const row of await rowsOfKeys(rest, mapping, list)) rows.set(row[mapping.at.key]!, row);
  }
  return historyTurns(
    keys.flatMap((key) => {
      const row = rows.get(key);
      return row === undefined ? [] : [row];
    }),
    mapping,
  );
}

/** A server may give fewer rows than were asked for: those that it lacks are those of which it gives none. */
async function rowsOfKeys(rest: RestTable, mapping: Mapping, keys: string[]): Promise<RowText[]> {
  const name = restFilterName(mapping.names[mapping.at.key]!);
  const found = await rest.get([
    ['select', selectionOf(mapping)],
    [name, `in.${restList(keys)}`],
  ]);
  const rows = found.map((row) => textOf(row, mapping));
  const given = new Set(rows.map((row) => row[mapping.at.key]));
  const left = keys.filter((key) => !given.has(key));
  return rows.length === 0 || left.length === 0 ? rows : [...rows, ...(await rowsOfKeys(rest, mapping, left))];
}

function historyTurns(rows: RowText[], mapping: Mapping): Turn[] {
  return rows.flatMap((row, index) => {
    const turn = turnOf(row, mapping, { lsn: nowhere, ordinal: firstHistoryOrdinal + index }, null);
    return typeof turn === 'string' ? [] : [turn];
  });
}
