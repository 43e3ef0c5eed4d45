/** zod → the JSON Schema that providers of structured output take: few keywords, no bounds, keys in written order. */
import { z } from 'zod';

/** https://ai.google.dev/gemini-api/docs/structured-output, without those that make a schema costly to serve. */
const keywords = new Set(
  'type format title description enum items properties additionalProperties required anyOf propertyOrdering'.split(' '),
);

export function plainSchema(schema: z.ZodType): Record<string, unknown> {
  const json = z.toJSONSchema(schema, {
    reused: 'inline',
    override: ({ jsonSchema }) => {
      const node = jsonSchema as Record<string, unknown>;
      if ('const' in node) node.enum = [node.const];
      if (typeof node.properties === 'object' && node.properties !== null)
        node.propertyOrdering = Object.keys(node.properties);
      for (const key of Object.keys(node)) if (!keywords.has(key)) delete node[key];
    },
  });
  const { $schema: _dialect, ...plain } = json as Record<string, unknown>;
  return plain;
}
