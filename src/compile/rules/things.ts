/** Things that the session's records speak of, by id: where each was seen, and with which attributes. */
import { parse } from 'yaml';
import { type FoundRecord, isObject, type Leaf, looksLikeId, recordsOf } from '../flatten.ts';
import type { Call } from './call.ts';
import { singular, spell, spellKey, splitName } from './words.ts';

export interface Sighting {
  call: Call;
  record: FoundRecord;
  /** False where the response is text in the form of lists and keys: paths lead nowhere then. */
  hasPaths: boolean;
}

export interface Things {
  all: Sighting[];
  /** Those whose id stands for itself. */
  byId: Map<string, Sighting[]>;
}

export function thingsIn(calls: readonly Call[]): Things {
  const all: Sighting[] = [];
  for (const call of calls) {
    if (call.isMessage || call.tainted || call.failed) continue;
    const outline = outlineOf(call.turn.response);
    const hasPaths = outline === null;
    for (const record of outline === null ? call.records : recordsOf(outline)) all.push({ call, record, hasPaths });
  }
  const byId = new Map<string, Sighting[]>();
  // A plain number is an id only together with its kind.
  for (const one of all.filter(({ record }) => looksLikeId(record.id)))
    byId.set(one.record.id, [...(byId.get(one.record.id) ?? []), one]);
  return { all, byId };
}

const maxOutlineChars = 20_000;

/** Text that is a list of records in all but name (`- id: 7` and indented keys): its structure; else null. */
function outlineOf(response: unknown): unknown {
  if (typeof response !== 'string' || response.length > maxOutlineChars) return null;
  if (!/^(- )?\w+: ?.*\n\s*\w+: /.test(response)) return null;
  try {
    const value: unknown = parse(response, { schema: 'failsafe', logLevel: 'silent', maxAliasCount: 0 });
    return isObject(value) || Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** "order" for `order_id`; where the key says nothing, what the tool's name ends in. */
export function kindOf({ call, record }: Sighting): string {
  const words = splitName(record.idKey);
  if (words.length > 1) return spellKey(record.idKey).replace(/ (number|uuid)$/, '');
  const holder = holderOf(record);
  if (holder !== null) return singular(spellKey(holder));
  const object = splitName(call.tool)
    .slice(1)
    .filter((word) => !/^(details?|info|by|id|list|all|recent|most|for|of|in|my)$/.test(word));
  return object.length === 0 ? 'entry' : singular(spell(object.slice(0, 3)));
}

/** The list that a record inside another one stands in: `payment_methods` of `payment_methods.card_81`. */
function holderOf({ path, id }: FoundRecord): string | null {
  const names = path.split('.').filter((name) => name !== '' && name !== id && !/^\d+$/.test(name));
  return names.at(-1) ?? null;
}

/** Path of an attribute from its record on. */
export function within(record: FoundRecord, leaf: Leaf): string {
  return record.path === '' ? leaf.path : leaf.path.slice(record.path.length + 1);
}

export function isIdKey(key: string): boolean {
  return /^(id|uuid)_?$|(_id|Id|_ids|Ids|_uuid)$/.test(key);
}

/** Attributes that a person would ask for: no ids, no empty or long values. */
export function tellable(record: FoundRecord): Leaf[] {
  return record.attributes.filter(
    (leaf) =>
      !isIdKey(leaf.key) &&
      // A state is only true at a time.
      !/stat(us|e)$|_at$|time/i.test(leaf.key) &&
      // "on_call", "sent_by": no noun to ask for.
      !/^(on|in|by|at|to|from|has|is)_|_(on|in|by|at|to|from)$/i.test(leaf.key) &&
      leaf.value.length >= 2 &&
      leaf.value.length <= 60 &&
      !/^(true|false|null|none|\[\])$/i.test(leaf.value),
  );
}

const naming = /^(full_?name|name|title|email|e_?mail|phone(_?number)?|subject|username|label|filename)$/i;

export function isNaming(key: string): boolean {
  return naming.test(key);
}

/** What a person would call the thing by, if that belongs to it alone among its kind; its id otherwise. */
export function nameFor(
  sighting: Sighting,
  things: Things,
  unlike: readonly string[],
): { text: string; leaf: Leaf | null } {
  const kind = kindOf(sighting);
  const named = tellable(sighting.record).find(
    (leaf) => naming.test(leaf.key) && !unlike.includes(leaf.value) && isOnly(leaf, sighting, things),
  );
  if (named === undefined) return { text: `${kind} ${sighting.record.id}`, leaf: null };
  return {
    text: `the ${kind} with the ${spellKey(named.key)} ${named.value.includes(' ') ? `"${named.value}"` : named.value}`,
    leaf: named,
  };
}

function isOnly(leaf: Leaf, { record }: Sighting, { all }: Things): boolean {
  return all.every(
    (other) =>
      other.record.id === record.id ||
      !other.record.attributes.some((one) => one.key === leaf.key && one.value === leaf.value),
  );
}

/** Values distinctive enough to follow from one turn to another. */
export function flows(value: string): boolean {
  return looksLikeId(value);
}
