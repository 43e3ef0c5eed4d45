/** SQL text from names and values that settings supply. */

/** `audit"log` → `"audit""log"`. */
export function quoteIdent(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string constant, safe whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** The name of a table within its schema. */
export interface TableName {
  schema: string;
  name: string;
}

/** `audit_log`, `public.audit_log`, `"Audit"."log.2026"`; a name without schema is in `public`. Null where unreadable. */
export function parseTableName(text: string): TableName | null {
  const part = '("(?:[^"]|"")+"|[^".\\s]+)';
  const match = new RegExp(`^\\s*(?:${part}\\.)?${part}\\s*$`).exec(text);
  if (match?.[2] === undefined) return null;
  const unquote = (name: string) => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name);
  return { schema: match[1] === undefined ? 'public' : unquote(match[1]), name: unquote(match[2]) };
}
