/** What the administrator of the server runs in the place of `init`, as one commented script: pure. */
import { type Check, sentenceOf } from '../checks.ts';
import {
  type AuditTable,
  type Columns,
  createTableSql,
  defaultColumns,
  mapColumns,
  tableName,
} from '../postgres/audit-table.ts';
import { quoteIdent, quoteLiteral } from '../postgres/quote.ts';
import { type CaptureSettings, initSql } from '../stream/provision.ts';
import { absentRole, type SetupFacts } from './setup-facts.ts';

export interface SetupRequest {
  settings: CaptureSettings;
  createTable: boolean;
  /** The server is a Supabase project. */
  supabase: boolean;
}

/** The server was not asked: everything is printed, as for one of a recent version that has nothing yet. */
export interface Unasked {
  role: string;
  /** Null where no connection string is set. */
  database: string | null;
  why: string;
}

/** Statements end with `;` at the end of a line; everything else is a comment. */
export function setupSql(request: SetupRequest, known: SetupFacts | Unasked): string {
  const asked = 'version' in known;
  const facts = asked ? known : presumedFacts(request, known);
  const withTable = request.createTable && facts.table === null;
  const table = facts.table ?? presumedTable(request.settings);
  const sql = initSql(table, request.settings, facts.version);
  const sections = [
    heading(request, facts, asked ? null : known.why),
    titled('The server', asked ? complaintLines(facts.complaints) : questionLines),
    ...(withTable ? [titled('The table', createTableSql(request.settings).map(statement))] : []),
    titled('The role of the capture', [...roleLines(facts), ...grantLines(facts, table)]),
    titled('The publication: the columns that are read, inserts and truncates', [
      ...(asked || withTable ? [] : presumedColumns),
      ...publicationLines(facts, sql.publication),
    ]),
    titled('The slot, last: it cannot read what is older than the publication', slotLines(facts, sql)),
    titled('Then', afterwards(facts)),
    titled('To undo all of it (a slot that nobody reads fills the disk)', undoing(request, facts)),
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** What `init` itself would run, and nothing that is there already. */
export function missingSql(
  { settings, createTable }: Pick<SetupRequest, 'settings' | 'createTable'>,
  facts: SetupFacts,
): string[] {
  const { publication, slot } = initSql(facts.table ?? presumedTable(settings), settings, facts.version);
  return [
    ...(createTable && facts.table === null ? createTableSql(settings) : []),
    ...(facts.publication === null ? [publication] : []),
    ...(facts.slotThere ? [] : [slot]),
  ];
}

function titled(title: string, lines: readonly string[]): string[] {
  return [`-- ${title}`, ...lines];
}

const statement = (sql: string) => `${sql};`;
const comment = (text: string) => `-- ${text.replaceAll('\n', '\n-- ')}`;

const presumedVersion = 170_000;

function presumedFacts({ createTable, settings }: SetupRequest, { role, database }: Unasked): SetupFacts {
  return {
    version: presumedVersion,
    database: database ?? '<database>',
    complaints: [],
    table: createTable ? null : presumedTable(settings),
    rowSecurity: false,
    publication: null,
    slotThere: false,
    role: absentRole(role),
    asks: { name: role, mayCreate: false },
  };
}

/** The table as the settings have it: with every column that they name, or would look for. */
function presumedTable(settings: CaptureSettings): AuditTable {
  const { schema, name } = tableName(settings.table);
  const { metadata = [], ...given } = settings.columns ?? {};
  const roles = Object.keys(defaultColumns) as (keyof Columns)[];
  const names = roles.map((role) => given[role] ?? defaultColumns[role]).filter((column) => column !== '-');
  const excluded = (settings.exclude ?? []).map(({ column }) => column);
  const columns = [...new Set([...names, ...metadata, ...excluded])].map((column) => ({ name: column, type: 'text' }));
  const sql = `${quoteIdent(schema)}.${quoteIdent(name)}`;
  return { schema, name, oid: 0, sql, partitioned: false, columns, mapping: mapColumns(columns, settings, sql) };
}

function heading({ supabase }: SetupRequest, { version, database, role }: SetupFacts, why: string | null): string[] {
  return [
    comment(`What a capture of trajectory-compiler needs of database ${database}, for the role ${role.name}.`),
    why === null
      ? comment(`What PostgreSQL ${Math.floor(version / 10_000)} there has already is left out.`)
      : comment(`${why}: this is what the settings alone say. Leave out what is there already.`),
    '-- Run it in that database as a superuser, statement by statement and not in one transaction, as psql -f does.',
    ...(supabase ? supabaseNotes(version) : []),
  ];
}

function supabaseNotes(version: number): string[] {
  return [
    '-- Supabase: in the SQL editor, run each statement by itself: the slot is refused in a transaction that has written.',
    '-- ALTER SYSTEM is not for project owners: the Supabase CLI sets max_slot_wal_keep_size (postgres-config update).',
    ...(version < 170_000
      ? ['-- Before PostgreSQL 17 no role but postgres may replicate there: let the capture log in as postgres.']
      : []),
  ];
}

const questionLines = [
  "-- Should read logical; otherwise ALTER SYSTEM SET wal_level = 'logical', then restart the server:",
  'SHOW wal_level;',
  '-- One more of each than are in use (pg_replication_slots, pg_stat_replication):',
  'SHOW max_replication_slots;',
  'SHOW max_wal_senders;',
  '-- Where it reads -1, a slot that nobody reads fills the disk; what the disk can spare is better:',
  "-- ALTER SYSTEM SET max_slot_wal_keep_size = '10GB', then SELECT pg_reload_conf()",
  'SHOW max_slot_wal_keep_size;',
];

/** Only the one without which nothing works is a statement: the others are the administrator's to judge. */
function complaintLines(complaints: readonly Check[]): string[] {
  if (complaints.length === 0) return ['-- Nothing is to be changed.'];
  return complaints.flatMap((check) =>
    check.name === 'wal_level'
      ? [
          comment(`${check.sentence}. Restart the server after this statement, before those below:`),
          "ALTER SYSTEM SET wal_level = 'logical';",
        ]
      : [comment(sentenceOf(check))],
  );
}

function roleLines({ role, database }: SetupFacts): string[] {
  const name = quoteIdent(role.name);
  if (role.there && role.mayReplicate) return [comment(`Role ${role.name} is there, and may replicate.`)];
  if (role.there) {
    return ['-- On Amazon RDS: GRANT rds_replication TO it instead.', statement(`ALTER ROLE ${name} REPLICATION`)];
  }
  return [
    statement(`CREATE ROLE ${name} LOGIN REPLICATION NOINHERIT CONNECTION LIMIT 8`),
    '-- Without a password nobody can log in with one. Choose it yourself: \\password in psql sends no clear text, unlike',
    `-- ALTER ROLE ${name} PASSWORD '<password>';`,
    '-- Such a role can stream whatever is published in a database that it may reach. In pg_hba.conf, keep it to this one:',
    comment(`  hostssl  ${database}  ${role.name}  <address of the capture>  scram-sha-256`),
  ];
}

function grantLines({ role, database, rowSecurity }: SetupFacts, { schema, sql }: AuditTable): string[] {
  if (role.superuser) return [];
  const name = quoteIdent(role.name);
  const on = database === '<database>' ? database : quoteIdent(database);
  return [
    ...(role.mayConnect ? [] : [`GRANT CONNECT ON DATABASE ${on} TO ${name};`]),
    ...(role.mayUseSchema ? [] : [`GRANT USAGE ON SCHEMA ${quoteIdent(schema)} TO ${name};`]),
    ...(role.mayRead ? [] : [`GRANT SELECT ON ${sql} TO ${name};`]),
    ...(rowSecurity && !role.bypassesRowSecurity
      ? [
          '-- Row level security does not apply to the stream, but history and reconcile would be refused without this:',
          `ALTER ROLE ${name} BYPASSRLS;`,
        ]
      : []),
  ];
}

const presumedColumns = [
  '-- The columns are those that the settings look for: take out those that the table does not have. Before PostgreSQL 15',
  '-- a publication takes no list of columns, so leave it out.',
];

function publicationLines({ publication }: SetupFacts, sql: string): string[] {
  if (publication === null) return [statement(sql)];
  return [publication.complaint === null ? '-- It is there, as it should be.' : comment(publication.complaint)];
}

function slotLines({ slotThere }: SetupFacts, { lock, slot }: ReturnType<typeof initSql>): string[] {
  if (slotThere) return ['-- It is there.'];
  return [
    '-- From now on the server keeps WAL for it. It waits for the transactions that are open, for so long at most:',
    statement(lock),
    statement(slot),
  ];
}

function afterwards({ role }: SetupFacts): string[] {
  return [
    comment(`TC_POSTGRES_URL=postgres://${encodeURIComponent(role.name)}@… with its password, and as that role:`),
    '--   trajectory-compiler doctor',
    '--   trajectory-compiler run',
  ];
}

function undoing({ settings }: SetupRequest, { role }: SetupFacts): string[] {
  return [
    `SELECT pg_drop_replication_slot(${quoteLiteral(settings.slot)})`,
    `DROP PUBLICATION ${quoteIdent(settings.publication)}`,
    ...(role.there ? [] : [`DROP OWNED BY ${quoteIdent(role.name)}`, `DROP ROLE ${quoteIdent(role.name)}`]),
  ].map((sql) => `--   ${sql};`);
}
