/** The settings file as `init` writes it: every setting with its sentence, those that differ from the defaults active. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Document } from 'yaml';
import { type LoadedConfig, settingNames, shownValue } from '../config.ts';
import { exitCodes, messageOf, type OperatorError, stop } from '../errors.ts';
import type { Setting } from '../setting-kinds.ts';
import { type SettingName, settings } from '../settings.ts';
import { groupOf, settingsSchema, whereSecretsBelong } from './settings-schema.ts';

export const defaultSettingsFile = 'trajectory-compiler.yaml';
const schemaFile = 'trajectory-compiler.schema.json';
const commentWidth = 110;

export interface WrittenFiles {
  file: string;
  schema: string;
  /** What was there before; null where there was nothing, or nothing that differs. */
  backup: string | null;
}

/**
 * Refuses early, before questions are asked or anything is created.
 *
 * @throws OperatorError `settings_file_exists` where the file is there, with other text, and `force` is not given.
 */
export function refuseExisting(file: string, loaded: LoadedConfig, force: boolean): void {
  if (force || !existsSync(file) || readText(file) === settingsText(loaded)) return;
  throw unwritable(
    'settings_file_exists',
    `${file} is there already, and was not changed: edit it, or write it anew from its settings and the given ones with --force, which keeps a copy as ${file}.bak`,
  );
}

/**
 * Writes the settings file, and its JSON Schema beside it.
 *
 * @throws OperatorError as {@link refuseExisting}; `settings_file` where it can't be written.
 */
export function writeSettings(file: string, loaded: LoadedConfig, { force }: { force: boolean }): WrittenFiles {
  refuseExisting(file, loaded, force);
  const schema = join(dirname(file), schemaFile);
  const text = settingsText(loaded);
  try {
    const differs = existsSync(file) && readText(file) !== text;
    const backup = differs ? `${file}.bak` : null;
    if (backup !== null) copyFileSync(file, backup);
    writeFileSync(schema, `${JSON.stringify(settingsSchema(), null, 2)}\n`);
    writeFileSync(file, text);
    return { file, schema, backup };
  } catch (error) {
    throw unwritable('settings_file', `can't write ${file}: ${messageOf(error)}`, error);
  }
}

function unwritable(code: string, message: string, cause?: unknown): OperatorError {
  return stop(code, message, { exitCode: exitCodes.configuration, cause });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unwritable('settings_file', `can't read ${file}: ${messageOf(error)}`, error);
  }
}

/** Without its `#`, each `#name: value` is the default; lines that begin with `# ` are sentences. */
export function settingsText(loaded: LoadedConfig): string {
  const blocks: string[][] = [[head]];
  const groups = new Map<string, string[]>();
  for (const name of settingNames) {
    const [group, member] = groupOf(name);
    const lines = entry(name, member, loaded);
    if (group === null) {
      blocks.push(lines);
      continue;
    }
    const before = groups.get(group);
    const block = before ?? [`${group}:`];
    block.push(...lines.map((line) => `  ${line}`));
    if (before === undefined) {
      groups.set(group, block);
      blocks.push(block);
    }
  }
  return `${blocks.map((block) => block.join('\n')).join('\n\n')}\n`;
}

const head = `# yaml-language-server: $schema=./${schemaFile}
#
# Settings of trajectory-compiler. Each stands here with its default behind a #: take the # away and change it.
# The environment and flags win over this file; \`trajectory-compiler config print\` says what holds, and whence.`;

function entry(name: SettingName, member: string, loaded: LoadedConfig): string[] {
  const { sentence, allowed, secret, fallback } = settings[name] as Setting<unknown>;
  const about = wrapped(saysNothing.has(allowed) ? sentence : `${sentence} (${allowed})`);
  if (secret === true || holdsCredentials(name, loaded))
    return [...about, ...wrapped(`${member}: ${whereSecretsBelong(name)}`)];
  const value = loaded.config[name];
  if (isDeepStrictEqual(value, fallback)) return [...about, `#${line(member, defaultOf(name))}`];
  return [...about, line(member, fileValue(name, loaded))];
}

const saysNothing = new Set(['text', 'text that is not empty']);

/** An address that is no secret itself may name a user and a password, or a key. */
function holdsCredentials(name: SettingName, loaded: LoadedConfig): boolean {
  const value = loaded.config[name];
  return typeof value === 'string' && typeof loaded.written[name] === 'string' && shownValue(name, loaded) !== value;
}

/** As it is read where it can be read again, such as a list; else as it was written, such as `10m`. */
function fileValue(name: SettingName, { config, written }: LoadedConfig): unknown {
  const { schema } = settings[name] as Setting<unknown>;
  const again = schema.safeParse(config[name]);
  return again.success && isDeepStrictEqual(again.data, config[name]) ? config[name] : written[name];
}

function defaultOf(name: SettingName): unknown {
  const { fallback, fallbackText } = settings[name] as Setting<unknown>;
  return Array.isArray(fallback) ? fallback : (fallbackText ?? fallback);
}

function line(member: string, value: unknown): string {
  const flow = { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 } as const;
  const text = new Document(value).toString(flow).trimEnd();
  // Text of several lines would be a block: as JSON it stays on its line.
  if (text.includes('\n')) return `${member}: ${JSON.stringify(value)}`;
  return `${member}: ${text}`;
}

function wrapped(sentence: string): string[] {
  const lines = [''];
  for (const word of sentence.split(' ')) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + word.length + 1 > commentWidth) lines.push(word);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.map((text) => `# ${text}`);
}
