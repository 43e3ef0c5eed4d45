/** How many tokens a request has, before anybody counted them. */
import type { ModelRequest } from './model.ts';

/** Roles, separators and what else a provider puts around the texts. */
const tokensAround = 512;

/** At most: a token is a byte at least. */
export function mostTokens({ system, prompt, schema, maxOutputTokens }: ModelRequest): {
  input: number;
  output: number;
} {
  const bytes = Buffer.byteLength(system) + Buffer.byteLength(prompt) + Buffer.byteLength(JSON.stringify(schema));
  return { input: bytes + tokensAround, output: maxOutputTokens };
}

/** Below what most texts have, so that the limit of a minute is kept by estimate too. */
const charsPerToken = 3;

export function estimatedTokens({ system, prompt, maxOutputTokens }: ModelRequest): number {
  return Math.ceil((system.length + prompt.length) / charsPerToken) + maxOutputTokens;
}

/** Above what any text has: 8 where prose has 4 to 5 and JSON 3. Repeated characters, of which many make a token, count less. */
const mostCharsPerToken = 8;
const longRun = /(.)\1{3,}/gsu;
/** Shorter prompts fit everywhere, and what is around them weighs too much. */
const fewestChars = 4_000;

/** Whether so few tokens can't have been the whole prompt: the server has cut it to its context and said nothing. */
export function isTruncated({ system, prompt }: ModelRequest, promptTokens: number): boolean {
  const chars = `${system}\n${prompt}`.replace(longRun, '$1$1$1').length;
  return chars >= fewestChars && promptTokens * mostCharsPerToken < chars;
}
