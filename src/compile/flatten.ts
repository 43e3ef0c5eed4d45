/** JSON of any shape as leaves with dotted paths, and the records (things with an id) inside it. */

export interface Leaf {
  /** Dotted; empty where the whole value is a scalar. */
  path: string;
  /** The last name in the path that is no index. */
  key: string;
  /** The value's text. */
  value: string;
}

/** An object that names itself by an id. */
export interface FoundRecord {
  idKey: string;
  id: string;
  /** Path of the object; empty at the root. */
  path: string;
  /** Scalars of the object and of the plain objects in it, ids included. */
  attributes: Leaf[];
  /** Scalars of the named objects in the object's lists (`items.0.price` of an item with a name). */
  parts: Part[];
}

export interface Part extends Leaf {
  name: string;
}

const maxLeaves = 600;
const maxDepth = 8;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function leavesOf(value: unknown): Leaf[] {
  const leaves: Leaf[] = [];
  collect(value, '', '', 0, leaves);
  return leaves;
}

function collect(value: unknown, path: string, key: string, depth: number, into: Leaf[]): void {
  if (into.length >= maxLeaves || depth > maxDepth || value === null || value === undefined) return;
  if (typeof value !== 'object') {
    into.push({ path, key, value: String(value) });
    return;
  }
  for (const [name, child] of Object.entries(value)) {
    const isIndex = Array.isArray(value);
    collect(child, path === '' ? name : `${path}.${name}`, isIndex ? key : name, depth + 1, into);
  }
}

const idKey = /^(id|uuid|key|number)_?$|(_id|Id|_uuid|_number)$/;

/** An id that can stand for a thing by itself: has a digit or a separator, is no sentence, no plain small number. */
export function looksLikeId(value: string): boolean {
  if (value.length < 3 || value.length > 80 || /\s/.test(value)) return false;
  if (/^\d+(\.\d+)?$/.test(value)) return value.length >= 5 && !value.includes('.');
  return /\d/.test(value) && /^[#@\w.:+/-]+$/.test(value);
}

/** What tells which of several ids is a record's own: the call's name, and the values it was given. */
export interface IdHints {
  tool: string;
  asked: readonly string[];
}

export function recordsOf(value: unknown, hints: IdHints = { tool: '', asked: [] }): FoundRecord[] {
  const records: FoundRecord[] = [];
  walk(value, '', 0, records, hints);
  return records;
}

function walk(value: unknown, path: string, depth: number, into: FoundRecord[], hints: IdHints): void {
  if (typeof value !== 'object' || value === null || depth > maxDepth || into.length >= 200) return;
  if (isObject(value)) {
    const own =
      ownIdKey(value, path, hints) ??
      Object.keys(value).find((key) => /^id_?$/.test(key) && /^\w{1,40}$/.test(String(value[key] ?? '')));
    if (own !== undefined) into.push(recordOf(value, own, path));
  }
  for (const [name, child] of Object.entries(value))
    walk(child, path === '' ? name : `${path}.${name}`, depth + 1, into, hints);
}

/**
 * A ticket that names its order holds two ids, in whatever order the log keeps keys. Its own is the one that the call or
 * the list it stands in is named after, else the one that was asked for, else a plain `id`, else the first.
 */
function ownIdKey(value: Record<string, unknown>, path: string, { tool, asked }: IdHints): string | undefined {
  const keys = Object.keys(value).filter((key) => idKey.test(key) && looksLikeId(String(value[key] ?? '')));
  if (keys.length < 2) return keys[0];
  const holder = path.split('.').findLast((name) => !/^\d+$/.test(name)) ?? '';
  const named = `${tool} ${holder}`.toLowerCase();
  const isNamed = (key: string) => {
    const kind = key.replace(/(_?id|Id|_uuid|_number)$/, '').toLowerCase();
    return kind !== '' && named.includes(kind);
  };
  const given = keys.filter((key) => asked.includes(String(value[key])));
  const own = keys.filter(isNamed);
  if (own.length === 0) return given[0] ?? keys.find((key) => /^id_?$/.test(key)) ?? keys[0];
  return own.find((key) => given.includes(key)) ?? own[0];
}

function recordOf(value: Record<string, unknown>, own: string, path: string): FoundRecord {
  return {
    idKey: own,
    id: String(value[own]),
    path,
    attributes: attributesOf(value, path),
    parts: partsOf(value, path),
  };
}

function partsOf(value: Record<string, unknown>, path: string): Part[] {
  return Object.entries(value).flatMap(([key, list]) => {
    if (!Array.isArray(list)) return [];
    const names = list.map((item) => (isObject(item) ? String(item.name ?? item.title ?? '') : ''));
    return list.flatMap((item, i) => {
      const name = names[i]!;
      if (!isObject(item) || name === '' || names.indexOf(name) !== names.lastIndexOf(name)) return [];
      return attributesOf(item, path === '' ? `${key}.${i}` : `${path}.${key}.${i}`).map((leaf) => ({ ...leaf, name }));
    });
  });
}

function attributesOf(value: Record<string, unknown>, path: string): Leaf[] {
  const leaves: Leaf[] = [];
  for (const [name, child] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`;
    if (child === null || child === undefined) continue;
    const only = Array.isArray(child) && child.length === 1 && isObject(child[0]);
    if (only) for (const [inner, leaf] of Object.entries(child[0])) pushScalar(leaf, `${at}.0.${inner}`, inner, leaves);
    if (Array.isArray(child)) continue;
    if (typeof child !== 'object') leaves.push({ path: at, key: name, value: String(child) });
    else for (const [inner, leaf] of Object.entries(child)) pushScalar(leaf, `${at}.${inner}`, inner, leaves);
  }
  return leaves;
}

function pushScalar(value: unknown, path: string, key: string, into: Leaf[]): void {
  if (value === null || value === undefined || typeof value === 'object') return;
  into.push({ path, key, value: String(value) });
}
