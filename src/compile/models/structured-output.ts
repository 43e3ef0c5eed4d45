/**
 * How a server is made to answer in a form: by a schema, as any JSON, or by words alone. What it says it can is not
 * what it does: some take a schema and ignore it. So the first call is preceded by tiny ones that show it.
 */
import type { ModelReply, ModelRequest } from './model.ts';

export type OutputMode = 'json_schema' | 'json_object' | 'prompt';

/** What asks for the mode in a request; nothing for `prompt`. */
export function responseFormat(mode: OutputMode, schema: Record<string, unknown>): Record<string, unknown> {
  if (mode === 'prompt') return {};
  if (mode === 'json_object') return { response_format: { type: 'json_object' } };
  const jsonSchema = { name: 'answer', strict: false, schema };
  return { response_format: { type: 'json_schema', json_schema: jsonSchema } };
}

/** The fixed part, with the form in words where the server does not hold the model to it. */
export function systemFor(mode: OutputMode, { system, schema }: ModelRequest): string {
  if (mode === 'json_schema') return system;
  return `${system}\n\nAnswer with one JSON object and nothing else, no code fence around it. It must be valid against this JSON Schema:\n${JSON.stringify(schema)}`;
}

const word = 'heliotrope';

/** Nobody answers this with that word, unless held to it. */
export const probeRequest: ModelRequest = {
  system: 'You answer briefly.',
  prompt: 'Greet the reader in one word.',
  schema: {
    type: 'object',
    properties: { greeting: { type: 'string', enum: [word] } },
    required: ['greeting'],
    additionalProperties: false,
  },
  // Some think before they answer.
  maxOutputTokens: 1_024,
};

/** The word JSON has to stand in a request for it. */
export const objectProbeRequest: ModelRequest = {
  ...probeRequest,
  prompt: 'Greet the reader in one word. Answer as a JSON object with the key greeting.',
};

export function obeysSchema({ text }: ModelReply): boolean {
  const value = parsed(text);
  return typeof value === 'object' && value !== null && (value as { greeting?: unknown }).greeting === word;
}

export function isObject({ text }: ModelReply): boolean {
  const value = parsed(text);
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
