/** The JSON Schema of the settings file, from the one table of settings: what an editor completes and checks by. */
import { z } from 'zod';
import { environmentName, settingNames } from '../config.ts';
import type { Setting } from '../setting-kinds.ts';
import { type SettingName, settings } from '../settings.ts';

export type JsonSchema = { [keyword: string]: unknown };

/** Draft 7, which every editor's YAML support knows. */
export function settingsSchema(): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  for (const name of settingNames) {
    const [group, member] = groupOf(name);
    if (group === null) {
      properties[member] = schemaOf(name);
      continue;
    }
    // A group whose settings are all commented out reads as null.
    properties[group] ??= { type: ['object', 'null'], additionalProperties: false, properties: {} };
    (properties[group].properties as Record<string, JsonSchema>)[member] = schemaOf(name);
  }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Settings of trajectory-compiler',
    type: ['object', 'null'],
    additionalProperties: false,
    properties,
  };
}

/** `session.idleTimeout` → `['session', 'idleTimeout']`. */
export function groupOf(name: SettingName): [group: string | null, member: string] {
  const [group, member] = name.split('.') as [string, string | undefined];
  return member === undefined ? [null, group] : [group, member];
}

function schemaOf(name: SettingName): JsonSchema {
  const setting = settings[name] as Setting<unknown>;
  const { fallback, fallbackText, sentence, allowed, secret } = setting;
  return {
    description: `${sentence} Must be ${allowed}.${secret === true ? ` ${whereSecretsBelong(name)}` : ''}`,
    ...valueSchema(setting),
    ...(fallback === null && fallbackText === undefined
      ? {}
      : { default: Array.isArray(fallback) ? fallback : (fallbackText ?? fallback) }),
  };
}

export function whereSecretsBelong(name: SettingName): string {
  const variable = environmentName(name);
  return `Not in this file, but in the environment: ${variable} holds it, or a file that ${variable}_FILE names.`;
}

/**
 * What the file may hold. Numbers, lists and tables are described by what they are read to, since the environment's way
 * of writing them as text is not the file's; what is text in the file too, such as a duration, by what it is read from.
 */
function valueSchema({ schema, repeatable }: Setting<unknown>): JsonSchema {
  const input = toJson(schema, 'input');
  if (repeatable === true) return listSchema(input);
  return typesOf(input).every((type) => type === 'string' || type === 'null') ? input : toJson(schema, 'output');
}

function toJson(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, target: 'draft-7', unrepresentable: 'any' });
  return withoutRepetition(json);
}

/** Two ways of writing a value that are read to the same are one. */
function withoutRepetition(json: JsonSchema): JsonSchema {
  if (!Array.isArray(json.anyOf)) return json;
  const branches = (json.anyOf as JsonSchema[]).map(withoutRepetition);
  const distinct = [...new Map(branches.map((branch) => [JSON.stringify(branch), branch])).values()];
  return distinct.length === 1 ? distinct[0]! : { ...json, anyOf: distinct };
}

function typesOf(json: JsonSchema): unknown[] {
  return Array.isArray(json.anyOf) ? (json.anyOf as JsonSchema[]).flatMap(typesOf) : [json.type];
}

/** A list, or its words with commas between them. */
function listSchema(json: JsonSchema): JsonSchema {
  const list = (json.anyOf as JsonSchema[]).find(({ type }) => type === 'array')!;
  const words = (list.items as JsonSchema).enum as string[] | undefined;
  if (words === undefined) return json;
  const word = `\\s*(${words.join('|')})\\s*`;
  return { anyOf: [list, { type: 'string', pattern: `^${word}(,${word})*$` }] };
}
