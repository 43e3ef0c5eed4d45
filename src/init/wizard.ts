/** The questions of a first set-up, in the order in which a newcomer can answer them. */
import { existsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { type Config, type LoadedConfig, settingNames, shownValue } from '../config.ts';
import { codeOf, messageOf } from '../errors.ts';
import type { Setting } from '../setting-kinds.ts';
import { type SettingName, settings } from '../settings.ts';
import { captureSettings } from '../stages.ts';
import { type Ask, type Choice, cancelled } from './ask.ts';
import { askConnection } from './connection-question.ts';
import { complaintOf, withGiven } from './given-settings.ts';
import { readNewestRows } from './log-tables.ts';
import { askRules } from './rule-questions.ts';
import { readSetupFacts, type SetupFacts } from './setup-facts.ts';
import { missingSql } from './setup-sql.ts';
import { askTable } from './table-question.ts';

/** What is to be done about the server: `create` what is missing, `print` the SQL for its administrator, or `nothing`. */
export type ServerTask = 'create' | 'print' | 'nothing';

export interface Plan {
  loaded: LoadedConfig;
  createTable: boolean;
  server: ServerTask;
}

/**
 * Asks, changes nothing.
 *
 * @param file the settings file that is to be written.
 * @throws OperatorError `cancelled`, and as the server's refusals while its tables are read.
 */
export async function askForPlan(ask: Ask, known: LoadedConfig, file: string): Promise<Plan> {
  await askToReplace(ask, file);
  const { url, client } = await askConnection(ask, known.config['postgres.url']);
  try {
    const { given, table, columns } = await askTable(ask, client, known.config['postgres.table']);
    const rows = table === null ? null : await readNewestRows(client, table, columns);
    const rules = await askRules(ask, known, rows);
    const createTable = table === null;
    const answered = withGiven(known, { 'postgres.url': url, ...given, ...rules });
    const { loaded, facts } = await askForFreeSlot(ask, answered, createTable);
    showPlan(ask, { loaded, createTable, facts, file });
    const server = await ask.choose('And now?', tasks(file, facts), facts.asks.mayCreate ? 'create' : 'print');
    if (server === 'stop') throw cancelled();
    return { loaded, createTable, server };
  } finally {
    await client.end().catch(() => {});
  }
}

async function askToReplace(ask: Ask, file: string): Promise<void> {
  if (!existsSync(file)) return;
  if (
    !(await ask.confirm(
      `${file} is there already: begin with its settings, and replace it? (${file}.bak keeps a copy)`,
    ))
  )
    throw cancelled();
}

/** Asked only where the usual name belongs to another database of the server already. */
async function askForFreeSlot(
  ask: Ask,
  answered: LoadedConfig,
  createTable: boolean,
): Promise<{ loaded: LoadedConfig; facts: SetupFacts }> {
  for (let loaded = answered; ; ) {
    try {
      return { loaded, facts: await readSetupFacts(captureSettings(loaded.config), { role: undefined, createTable }) };
    } catch (error) {
      if (codeOf(error) !== 'slot_foreign') throw error;
      ask.complain(messageOf(error));
      const slot = await ask.text({
        message: 'Another name for the slot',
        refuse: (text) => complaintOf('postgres.slot', text),
      });
      loaded = withGiven(loaded, { 'postgres.slot': slot });
    }
  }
}

interface Shown {
  loaded: LoadedConfig;
  createTable: boolean;
  facts: SetupFacts;
  file: string;
}

function showPlan(ask: Ask, { loaded, createTable, facts, file }: Shown): void {
  const changed = settingNames.filter((name) => isChanged(name, loaded.config));
  const lines = changed.map((name) => `${name}: ${shownValue(name, loaded)}`);
  ask.show(
    `What ${file} will say`,
    lines.length === 0
      ? 'the defaults, each commented out'
      : `${lines.join('\n')}\nand all others commented out, with their defaults`,
  );
  const missing = missingSql({ settings: captureSettings(loaded.config), createTable }, facts);
  ask.show(
    'What the server still needs',
    missing.length === 0 ? 'nothing: publication and slot are there' : missing.map((sql) => `${sql};`).join('\n'),
  );
}

/** Secrets are not in the file. */
function isChanged(name: SettingName, config: Config): boolean {
  const { secret, fallback } = settings[name] as Setting<unknown>;
  return secret !== true && !isDeepStrictEqual(config[name], fallback);
}

/** As far as can be told, the role that asked could create all of it. */
function tasks(file: string, { asks }: SetupFacts): Choice<ServerTask | 'stop'>[] {
  const may = asks.mayCreate ? '' : ', which it most likely may not';
  return [
    { value: 'create', label: `write ${file}, and create it on the server`, hint: `as ${asks.name}${may}` },
    { value: 'print', label: `write ${file}, and print the SQL for the server's administrator` },
    { value: 'nothing', label: `only write ${file}` },
    { value: 'stop', label: 'stop', hint: 'nothing is written' },
  ];
}
