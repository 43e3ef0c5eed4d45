/** Settings that answers give, laid over those that were read. */
import type { Config, LoadedConfig } from '../config.ts';
import type { Setting } from '../setting-kinds.ts';
import { type SettingName, settings } from '../settings.ts';

export type Given = Partial<Record<SettingName, string>>;

/** @param given each as it would be written; every one was accepted by {@link complaintOf} */
export function withGiven(loaded: LoadedConfig, given: Given): LoadedConfig {
  const config: Record<string, unknown> = { ...loaded.config };
  const written = { ...loaded.written };
  const origins = { ...loaded.origins };
  for (const [name, text] of Object.entries(given) as [SettingName, string][]) {
    config[name] = (settings[name] as Setting<unknown>).schema.parse(text);
    written[name] = text;
    origins[name] = 'flag';
  }
  return { ...loaded, config: config as Config, written, origins };
}

/** What is wrong with the text as a value of the setting; undefined where nothing is. */
export function complaintOf(name: SettingName, text: string): string | undefined {
  const { schema, allowed } = settings[name] as Setting<unknown>;
  return schema.safeParse(text).success ? undefined : `${name} must be ${allowed}`;
}

/** As a question begins with it; empty where there is none. */
export function textOf(name: SettingName, { written }: LoadedConfig): string {
  const value = written[name];
  return value === null || value === undefined ? '' : String(value);
}
