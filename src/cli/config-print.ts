import type { Command } from 'commander';
import { environmentName, flagName, type LoadedConfig, settingNames, shownValue } from '../config.ts';
import { exitCodes } from '../errors.ts';
import { settingsSchema } from '../init/settings-schema.ts';
import { type SettingName, settings } from '../settings.ts';
import type { Act } from './context.ts';
import { table } from './table.ts';

export function defineConfig(program: Command, act: Act): void {
  const config = program.command('config').description('the settings');
  config
    .command('print')
    .description('every setting: its value, where that came from, and what it means')
    .action(
      act(async ({ loaded, json, print }) => {
        print(json ? JSON.stringify(asObject(loaded)) : asTable(loaded));
        return exitCodes.ok;
      }),
    );
  config
    .command('schema')
    .description('the JSON Schema of the settings file, as `init --write` puts it beside the file')
    .action(
      act(async ({ print }) => {
        print(JSON.stringify(settingsSchema(), null, 2));
        return exitCodes.ok;
      }),
    );
}

function asObject(loaded: LoadedConfig): Record<string, unknown> {
  return Object.fromEntries(
    settingNames.map((name) => [
      name,
      {
        value: shownValue(name, loaded),
        origin: loaded.origins[name],
        environment: environmentName(name),
        flag: flagName(name),
        allowed: settings[name].allowed,
        meaning: settings[name].sentence,
      },
    ]),
  );
}

function asTable(loaded: LoadedConfig): string {
  const row = (name: SettingName) => [name, shownValue(name, loaded), loaded.origins[name], settings[name].sentence];
  return table(['setting', 'value', 'from', 'meaning'], settingNames.map(row));
}
