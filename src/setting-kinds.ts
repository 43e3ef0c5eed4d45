/** The kinds of settings: how each is read from text, and what is allowed, in the words of an error message. */
import { z } from 'zod';

export interface Setting<T> {
  schema: z.ZodType<T>;
  fallback: T;
  /** The default as it would be written, where that differs from the value. */
  fallbackText?: string;
  /** What a value may be, as it follows "must be". */
  allowed: string;
  sentence: string;
  secret?: boolean;
  /** A second, shorter flag. */
  shortFlag?: string;
  /** The flag may be given several times: once for each word of a list. */
  repeatable?: boolean;
}

export const setting = <T>(s: Setting<T>): Setting<T> => s;

const asNumber = z.union([z.number(), z.string().regex(/^-?\d+(\.\d+)?$/)]).transform(Number);

export function whole(
  fallback: number,
  min: number,
  sentence: string,
  more: { max?: number; shortFlag?: string } = {},
) {
  const max = more.max ?? 1_000_000_000;
  return setting({
    schema: asNumber.pipe(z.int().min(min).max(max)),
    fallback,
    allowed: more.max === undefined ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`,
    sentence,
    ...(more.shortFlag === undefined ? {} : { shortFlag: more.shortFlag }),
  });
}

/** Null for none. */
export function optionalWhole(min: number, sentence: string) {
  return setting<number | null>({
    schema: asNumber.pipe(z.int().min(min)).nullable(),
    fallback: null,
    allowed: `a whole number of at least ${min}`,
    sentence,
  });
}

/** US dollars; null for no limit, or for not known. */
export function dollars(fallback: number | null, sentence: string) {
  return setting<number | null>({
    schema: asNumber.pipe(z.number().min(0)).nullable(),
    fallback,
    allowed: 'an amount in US dollars such as 5 or 0.25',
    sentence,
  });
}

export function text(fallback: string, sentence: string) {
  return setting({ schema: z.string().min(1), fallback, allowed: 'text that is not empty', sentence });
}

export function optionalText(sentence: string, more: { secret?: boolean; allowed?: string; shortFlag?: string } = {}) {
  const { allowed = 'text', ...rest } = more;
  return setting<string | null>({
    schema: z.string().min(1).nullable(),
    fallback: null,
    allowed,
    sentence,
    ...rest,
  });
}

export function oneOf<const T extends string>(
  values: readonly T[],
  fallback: NoInfer<T>,
  sentence: string,
  more: { shortFlag?: string } = {},
) {
  return setting<T>({
    schema: z.enum(values) as unknown as z.ZodType<T>,
    fallback,
    allowed: `one of ${values.join(', ')}`,
    sentence,
    ...more,
  });
}

const durationUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const durationPattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
/** Blanks around it are let pass. Asked of the text first, these two are what the JSON Schema of the settings says. */
const durationInText = /^\s*\d+(\.\d+)?(ms|s|m|h|d)\s*$/;
const durationOrForeverInText = /^\s*(forever|\d+(\.\d+)?(ms|s|m|h|d))\s*$/;

/** Milliseconds of `90s`, `10m`, `500ms`, `7d`; null where the text is none. */
export function durationMs(value: string): number | null {
  const m = durationPattern.exec(value.trim());
  return m === null ? null : Number(m[1]) * (durationUnits[m[2] ?? ''] ?? Number.NaN);
}

export function duration(fallback: string, sentence: string) {
  return setting<number>({
    schema: z
      .string()
      .regex(durationInText)
      .transform((value, context) => {
        const ms = durationMs(value);
        if (ms === null || ms < 1) context.addIssue({ code: 'custom', message: 'no duration' });
        return ms ?? 0;
      }),
    fallback: durationMs(fallback) ?? 0,
    fallbackText: fallback,
    allowed: 'a duration such as 500ms, 90s, 10m, 24h or 7d',
    sentence,
  });
}

/** Null is for ever. */
export function durationOrForever(fallback: string | null, sentence: string) {
  return setting<number | null>({
    schema: z
      .string()
      .regex(durationOrForeverInText)
      .transform((value, context) => {
        if (value.trim() === 'forever') return null;
        const ms = durationMs(value);
        if (ms === null || ms < 1) context.addIssue({ code: 'custom', message: 'no duration' });
        return ms ?? 0;
      }),
    fallback: fallback === null ? null : (durationMs(fallback) ?? 0),
    fallbackText: fallback ?? 'forever',
    allowed: 'a duration such as 24h or 7d, or forever',
    sentence,
  });
}

const sizeUnits: Record<string, number> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
};
const sizePattern = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB|KB|MB|GB)$/;
const sizeInText = /^\s*\d+(\.\d+)? ?(B|KiB|MiB|GiB|KB|MB|GB)\s*$/;

function sizeBytes(value: string): number | null {
  const m = sizePattern.exec(value.trim());
  return m === null ? null : Math.floor(Number(m[1]) * (sizeUnits[m[2] ?? ''] ?? Number.NaN));
}

export function size(fallback: string, sentence: string) {
  return setting<number>({
    schema: z
      .string()
      .regex(sizeInText)
      .transform((value, context) => {
        const bytes = sizeBytes(value);
        if (bytes === null || bytes < 1) context.addIssue({ code: 'custom', message: 'no size' });
        return bytes ?? 0;
      }),
    fallback: sizeBytes(fallback) ?? 0,
    fallbackText: fallback,
    allowed: 'a size such as 512KiB, 16MiB or 1GB',
    sentence,
  });
}

/** A list of words: a YAML list, or text with commas. */
export function listOf<const T extends string>(
  values: readonly T[],
  fallback: readonly NoInfer<T>[],
  sentence: string,
  more: { shortFlag?: string } = {},
) {
  const words = z.array(z.enum(values)).min(1);
  return setting<T[]>({
    schema: z.union([words, z.string().transform(splitList).pipe(words)]) as unknown as z.ZodType<T[]>,
    fallback: [...fallback],
    fallbackText: fallback.join(','),
    allowed: `one or several of ${values.join(', ')}, with commas between them`,
    sentence,
    repeatable: true,
    ...more,
  });
}

/** A list of free words, empty by default. */
export function list(allowed: string, sentence: string) {
  return setting<string[]>({
    schema: z.union([z.array(z.string().min(1)), z.string().transform(splitList)]) as z.ZodType<string[]>,
    fallback: [],
    fallbackText: '',
    allowed,
    sentence,
    repeatable: true,
  });
}

function splitList(value: string): string[] {
  return value.split(',').flatMap((word) => word.trim() || []);
}

/** A value that is a list or an object: YAML as it is, JSON text in the environment and on the command line. */
export function structured<T>(schema: z.ZodType<T>, fallback: T, allowed: string, sentence: string) {
  const fromText = z.string().transform((value, context): unknown => {
    try {
      return JSON.parse(value) as unknown;
    } catch {
      context.addIssue({ code: 'custom', message: 'no JSON' });
      return z.NEVER;
    }
  });
  return setting<T>({ schema: z.union([schema, fromText.pipe(schema)]) as z.ZodType<T>, fallback, allowed, sentence });
}
