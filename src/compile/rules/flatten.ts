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
export interface Record_ {
  idKey: string;
  id: string;
  /** Path of the object; empty at the root. */
  path: string;
  /** Scalars of the object and of the plain objects in it, ids included. */
  attributes: Leaf[];
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

/** The leaf that a path leads to, as text; null where there is none. */
export function valueAt(value: unknown, path: string): string | null {
  let at: unknown = value;
  for (const name of path === '' ? [] : path.split('.')) {
    if (typeof at !== 'object' || at === null) return null;
    at = (at as Record<string, unknown>)[name];
  }
  return at === null || at === undefined || typeof at === 'object' ? null : String(at);
}

const idKey = /^(id|uuid|key|number)_?$|(_id|Id|_uuid|_number)$/;

/** An id that can stand for a thing by itself: has a digit or a separator, is no sentence, no plain small number. */
export function looksLikeId(value: string): boolean {
  if (value.length < 3 || value.length > 80 || /\s/.test(value)) return false;
  if (/^\d+(\.\d+)?$/.test(value)) return value.length >= 5 && !value.includes('.');
  return /\d/.test(value) && /^[#@\w.:+/-]+$/.test(value);
}

export function recordsOf(value: unknown): Record_[] {
  const records: Record_[] = [];
  walk(value, '', 0, records);
  return records;
}

function walk(value: unknown, path: string, depth: number, into: Record_[]): void {
  if (typeof value !== 'object' || value === null || depth > maxDepth || into.length >= 200) return;
  if (isObject(value)) {
    const own = Object.keys(value).find((key) => idKey.test(key) && looksLikeId(String(value[key] ?? '')));
    if (own !== undefined)
      into.push({ idKey: own, id: String(value[own]), path, attributes: attributesOf(value, path) });
  }
  for (const [name, child] of Object.entries(value))
    walk(child, path === '' ? name : `${path}.${name}`, depth + 1, into);
}

function attributesOf(value: Record<string, unknown>, path: string): Leaf[] {
  const leaves: Leaf[] = [];
  for (const [name, child] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`;
    if (child === null || child === undefined || Array.isArray(child)) continue;
    if (typeof child !== 'object') leaves.push({ path: at, key: name, value: String(child) });
    else for (const [inner, leaf] of Object.entries(child)) pushScalar(leaf, `${at}.${inner}`, inner, leaves);
  }
  return leaves;
}

function pushScalar(value: unknown, path: string, key: string, into: Leaf[]): void {
  if (value === null || value === undefined || typeof value === 'object') return;
  into.push({ path, key, value: String(value) });
}
