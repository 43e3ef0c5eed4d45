/** Asks which table is the audit log, and which of its columns is what. */
import type pg from 'pg';
import { type Columns, defaultColumns } from '../postgres/audit-table.ts';
import { parseTableName } from '../postgres/quote.ts';
import type { Ask, Choice } from './ask.ts';
import type { ColumnGuess } from './column-guess.ts';
import type { Given } from './given-settings.ts';
import { findLogTables, type LogTable } from './log-tables.ts';

export interface TableAnswer {
  given: Given;
  /** Null where it is to be created. */
  table: LogTable | null;
  columns: ColumnGuess;
}

const mostOffered = 8;

/** @param wanted the table that the settings name already. */
export async function askTable(ask: Ask, client: pg.Client, wanted: string): Promise<TableAnswer> {
  const tables = await findLogTables(client);
  const table = await chooseTable(ask, tables, wanted);
  if (table === null) return { given: { 'postgres.table': wanted }, table, columns: { ...defaultColumns } };
  const columns = await askColumns(ask, table);
  return { given: { 'postgres.table': table.setting, ...columnSettings(table, columns) }, table, columns };
}

async function chooseTable(ask: Ask, tables: LogTable[], wanted: string): Promise<LogTable | null> {
  const there = tableOf(tables, wanted);
  const likely = tables.filter((table) => table.likeness > 0 && table !== there).slice(0, mostOffered);
  const offered = there === undefined ? likely : [there, ...likely];
  const choices: Choice<LogTable | 'other' | 'create'>[] = offered.map((table) => ({
    value: table,
    label: table.rows === null ? table.setting : `${table.setting} (about ${table.rows.toLocaleString('en')} rows)`,
    hint: columnsOf(table),
  }));
  if (tables.length > 0) choices.push({ value: 'other', label: 'another table', hint: 'by its name' });
  if (there === undefined) choices.push({ value: 'create', label: `create ${wanted}`, hint: 'with the usual columns' });
  const chosen = await ask.choose('Which table is the audit log?', choices);
  if (chosen === 'create') return null;
  return chosen === 'other' ? await askTableName(ask, tables) : chosen;
}

async function askTableName(ask: Ask, tables: LogTable[]): Promise<LogTable> {
  const name = await ask.text({
    message: 'Its name',
    placeholder: 'schema.table',
    refuse: (answer) =>
      tableOf(tables, answer) === undefined
        ? `there is no table ${answer} that can be tailed (a view, an unlogged table and a partition cannot)`
        : undefined,
  });
  return tableOf(tables, name)!;
}

function tableOf(tables: LogTable[], text: string): LogTable | undefined {
  const wanted = parseTableName(text);
  return tables.find(({ setting }) => {
    const name = parseTableName(setting);
    return name?.schema === wanted?.schema && name?.name === wanted?.name;
  });
}

function columnsOf({ columns }: LogTable): string {
  return shortened(columns.map(({ name }) => name));
}

const mostNamed = 8;

/** Of a table of many columns, what is asked next would be pushed off the screen. */
function shortened(names: readonly string[]): string {
  const more = names.length - mostNamed;
  return more > 0 ? `${names.slice(0, mostNamed).join(', ')} and ${more} more` : names.join(', ');
}

const meanings: Record<keyof Columns, string> = {
  sessionId: "the agent's session",
  key: 'the key of a row',
  agent: 'the agent',
  tool: 'the tool',
  arguments: 'arguments of the call',
  response: 'its response',
  cost: 'its cost in US dollars',
  duration: 'its duration in ms',
  time: 'the time of the action',
};
const roles = Object.keys(meanings) as (keyof Columns)[];
const required: (keyof Columns)[] = ['sessionId', 'key'];

async function askColumns(ask: Ask, table: LogTable): Promise<ColumnGuess> {
  const columns = { ...table.guess };
  for (const role of required) {
    if (columns[role] !== null) continue;
    ask.complain(`no column of ${table.setting} looks like ${meanings[role]}, and it cannot be done without`);
    columns[role] = await askColumn(ask, table, role, null);
  }
  for (;;) {
    ask.show(`Columns of ${table.setting}`, columnTable(table, columns));
    const right: Choice<keyof Columns | 'right'>[] = [{ value: 'right', label: 'these are right' }];
    const change = roles.map((role) => ({
      value: role,
      label: `change ${meanings[role]}`,
      hint: columns[role] ?? 'none',
    }));
    const chosen = await ask.choose('What is read from which column', [...right, ...change]);
    if (chosen === 'right') return columns;
    columns[chosen] = await askColumn(ask, table, chosen, columns[chosen]);
  }
}

async function askColumn(
  ask: Ask,
  { columns }: LogTable,
  role: keyof Columns,
  now: string | null,
): Promise<string | null> {
  const choices: Choice<string | null>[] = columns.map(({ name, type }) => ({ value: name, label: name, hint: type }));
  if (!required.includes(role)) choices.push({ value: null, label: 'none', hint: 'the table has no such column' });
  return await ask.choose(`Column of ${meanings[role]}`, choices, now);
}

function columnTable({ columns }: LogTable, mapped: ColumnGuess): string {
  const wide = Math.max(...roles.map((role) => meanings[role].length));
  const widest = Math.max(...roles.map((role) => mapped[role]?.length ?? 0));
  const lines = roles.map((role) => {
    const type = columns.find(({ name }) => name === mapped[role])?.type ?? '';
    return `${meanings[role].padEnd(wide)}  ${(mapped[role] ?? '-').padEnd(widest)}  ${type}`.trimEnd();
  });
  const used = new Set(Object.values(mapped));
  const rest = columns.map(({ name }) => name).filter((name) => !used.has(name));
  return [
    ...lines,
    ...(rest.length === 0 ? [] : ['', `not read (columns.metadata can add them): ${shortened(rest)}`]),
  ].join('\n');
}

/** A column of the usual name is found by itself, and one that the table lacks is not looked for. */
function columnSettings({ columns }: LogTable, mapped: ColumnGuess): Given {
  const given: Given = {};
  for (const role of roles) {
    const column = mapped[role];
    const usual = defaultColumns[role];
    if (column === null && columns.some(({ name }) => name === usual)) given[`columns.${role}`] = '-';
    else if (column !== null) given[`columns.${role}`] = column;
  }
  return given;
}
