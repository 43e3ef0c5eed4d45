/** Values as JSON text, checked on the way in. */
import type { z } from 'zod';
import { park } from '../errors.ts';
import type { Codec } from './topic.ts';

/**
 * JSON of records that carry a `spec` such as `compiled/1`. Reading ignores unknown fields and minor versions
 * (`compiled/1.2`), and parks other kinds and majors: a reader that was upgraded can requeue them.
 */
export function jsonCodec<T extends { spec: string }>(schema: z.ZodType<T>, spec: `${string}/${number}`): Codec<T> {
  return {
    encode: (value) => new TextEncoder().encode(JSON.stringify(value)),
    decode: (bytes) => {
      const record = parse(bytes, spec);
      const found = typeof record.spec === 'string' ? record.spec : 'no spec';
      if (found !== spec && !found.startsWith(`${spec}.`)) {
        throw park(
          'unknown_spec',
          `the message holds ${printable(found)}, this version reads ${spec}: upgrade, then requeue it`,
        );
      }
      const result = schema.safeParse({ ...record, spec });
      if (result.success) return result.data;
      // Paths and kinds of fault alone: values are row contents.
      const faults = result.error.issues.slice(0, 3).map(({ path, code }) => `${path.map(String).join('.')}: ${code}`);
      throw park('bad_message', `the message is no ${spec}: ${faults.join('; ')}`);
    },
  };
}

function parse(bytes: Uint8Array, spec: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw park('bad_message', `the message is no JSON text; a ${spec} was expected`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw park('bad_message', `the message is no JSON object; a ${spec} was expected`);
}

function printable(spec: string): string {
  return /^[\w./-]{1,40}$/.test(spec) ? spec : 'a spec of another form';
}

/** For whoever moves or counts messages: nothing is decoded. */
export const asBytes: Codec<Uint8Array> = { encode: (bytes) => bytes, decode: (bytes) => bytes };
