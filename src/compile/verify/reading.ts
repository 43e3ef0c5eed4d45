/** What a model answered, as the asked form or as the reason why there is none. */
import type { z } from 'zod';
import type { ModelReply } from '../models/model.ts';
import type { ErrorReason } from './reasons.ts';

export type Read<T> = { value: T; parseMode: string } | { error: ErrorReason };

const maxAnswerChars = 200_000;

/** Nothing is repaired: half a verdict could be the wrong half. An answer that was refused or cut is not read at all. */
export function readReply<T>({ text, finishReason, blockReason }: ModelReply, form: z.ZodType<T>): Read<T> {
  if (blockReason !== null) return { error: 'blocked' };
  if (finishReason === 'MAX_TOKENS') return { error: 'truncated' };
  if (finishReason !== null && finishReason !== 'STOP') return { error: 'blocked' };
  if (text.trim() === '') return { error: 'empty' };
  if (text.length > maxAnswerChars) return { error: 'unparsable' };
  const whole = parseJson(text);
  const value = whole ?? parseJson(unwrapped(text));
  const checked = form.safeParse(value);
  if (!checked.success) return { error: 'unparsable' };
  return { value: checked.data, parseMode: whole === undefined ? 'unwrapped' : 'json' };
}

/** Without byte order mark, thoughts and code fences. */
function unwrapped(text: string): string {
  const bare = text
    .replace(/^\uFEFF/, '')
    .replace(/<think>[\s\S]*?<\/think>/gi, '')
    .trim();
  return /^```\w*\s*\n([\s\S]*?)\n?```$/.exec(bare)?.[1] ?? bare;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
