/** Names and values in a query string of PostgREST. https://docs.postgrest.org/en/v14/references/api/url_grammar.html */

const plainName = /^[\p{L}\p{N}_]+$/u;

/** A column where a list or a condition names it. */
export function restName(name: string): string {
  return plainName.test(name) ? name : restText(name);
}

const parameters = new Set(['select', 'order', 'limit', 'offset', 'columns', 'on_conflict', 'and', 'or']);

/** A column that names a filter of its own, where it could be taken for a parameter. */
export function restFilterName(name: string): string {
  return parameters.has(name) ? restText(name) : restName(name);
}

/** A value, or a name, within a list or a condition in brackets. A filter of its own takes its value as it stands. */
export function restText(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** `("a","b")` */
export function restList(values: readonly string[]): string {
  return `(${values.map(restText).join(',')})`;
}

/** Splits values so that no list of them is longer than a gateway takes in an address. */
export function* shortLists(values: readonly string[], maxCharacters = 4_000): Generator<string[]> {
  let list: string[] = [];
  let characters = 0;
  for (const value of values) {
    const length = encodeURIComponent(restText(value)).length + 3;
    if (list.length > 0 && characters + length > maxCharacters) {
      yield list;
      list = [];
      characters = 0;
    }
    list.push(value);
    characters += length;
  }
  if (list.length > 0) yield list;
}
