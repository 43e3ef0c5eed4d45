/** Names of tools and keys, in English. */
import { gerund, isChangingVerb, isReadingVerb, participle } from './verbs.ts';

const acronyms = new Set(
  'api apn bcc cc cpu csv cvc dns gb gps gpu html http iban id imei ip json mb mms os pdf pin puk ram sim sku sms sql ssh tls url usb vpn xml zip'.split(
    ' ',
  ),
);
acronyms.delete('zip');

/** `check_network_status`, `checkNetworkStatus`, `check.network-status` → check, network, status. */
export function splitName(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase());
}

export function spell(words: readonly string[]): string {
  return words
    .map((word) => {
      if (word === 'wifi') return 'Wi-Fi';
      return acronyms.has(word) ? word.toUpperCase() : word;
    })
    .join(' ');
}

/** A key as a noun: `payment_method_id` → "payment method", `lastFour` → "last four". */
export function spellKey(key: string): string {
  const words = splitName(key);
  if (words.length > 1 && (words.at(-1) === 'id' || words.at(-1) === 'ids')) words.pop();
  if (/^address\d$/.test(words.at(-1) ?? '')) return 'street address';
  const unit = words.at(-1) ?? '';
  return words.length > 1 && units.has(unit) ? `${spell(words.slice(0, -1))} in ${spell([unit])}` : spell(words);
}

export function isUnit(word: string): boolean {
  return units.has(word);
}

/** Nouns without a plural: an article before one would be wrong. */
const mass = /(^| )(text|data|info|information|money|content|mail|access|payment|power|saving|balance)$/;

/** "an email", "text", "orders". */
export function anyOf(noun: string): string {
  if (mass.test(noun) || isMany(noun)) return noun;
  return `${/^[aeiou]/i.test(noun) ? 'an' : 'a'} ${noun}`;
}

const units = new Set('kg gb mb tb kb ms km cm mm usd eur gbp percent seconds minutes hours days'.split(' '));

/** A plural noun as one of its kind: `orders` → `order`. */
export function singular(noun: string): string {
  if (/(ss|us|is)$/.test(noun)) return noun;
  if (noun.endsWith('ies')) return `${noun.slice(0, -3)}y`;
  if (/(ses|xes|ches|shes)$/.test(noun)) return noun.slice(0, -2);
  return noun.endsWith('s') ? noun.slice(0, -1) : noun;
}

export function plural(noun: string): string {
  if (/(s|x|ch|sh)$/.test(noun)) return `${noun}es`;
  if (/[^aeiou]y$/.test(noun)) return `${noun.slice(0, -1)}ies`;
  return `${noun}s`;
}

/** The noun that a reading tool goes by: "the network status check", "the speed test", "the order details lookup". */
export function checkNoun(tool: string): string {
  const words = splitName(lastPart(tool));
  const [verb, ...rest] = words;
  if (verb === undefined) return `the ${tool} call`;
  if (rest.length === 0) return `the ${spell([verb])} call`;
  if (verb === 'run' || verb === 'do' || verb === 'perform' || verb === 'start') return `the ${spell(rest)}`;
  if ((verb === 'can' || verb === 'is') && rest.length > 1) return canNoun(verb, rest);
  if (verb === 'check' || verb === 'test' || verb === 'verify' || verb === 'search' || verb === 'scan') {
    return `the ${spell(rest)} ${verb === 'verify' ? 'check' : verb}`;
  }
  if (verb === 'measure') return `the ${spell(rest)} measurement`;
  if (isReadingVerb(verb)) return `the ${spell(rest)} lookup`;
  return `the ${spell(words)} call`;
}

/** `can_send_mms` → "the MMS sending check". */
function canNoun(verb: string, rest: readonly string[]): string {
  const [action, ...object] = rest;
  if (verb === 'can' && action !== undefined) return `the ${spell(object)} ${gerund(action)} check`;
  return `the ${spell(rest)} check`;
}

/** "the speed test for L-1" as "the first speed test for L-1"; a command's runs are told apart. */
export function nth(which: string, name: string): string {
  if (name.startsWith('`')) return `the ${which} run of ${name}`.replace('the  run', 'the run');
  return `the ${which} ${name.replace(/^the /, '')}`.replace('the  ', 'the ');
}

/** A label or key as it is said: `risk_score` → "risk score", "Cellular Signal" → "cellular signal". */
export function spokenLabel(label: string): string {
  const bare = label.replace(/ ?\([^)]*\)/g, '').trim();
  if (/_|[a-z][A-Z]/.test(bare)) return spellKey(bare).replace(/ in (\w+)$/, '');
  const words = bare.split(' ').map((word) => (/[A-Z].*[A-Z]|\d/.test(word) ? word : word.toLowerCase()));
  return words.length === 1 ? spell(words) : words.join(' ');
}

const states =
  /(^| )(open|closed|waiting|pending|unsorted|unread|read|left|remaining|used|free|done|failed|passed|queued|running)$/;

/** "GB" of `data_used_gb`; null where the key names no unit. */
export function unitOf(key: string): string | null {
  const words = splitName(key);
  const last = words.at(-1) ?? '';
  return words.length > 1 && units.has(last) ? spell([last]) : null;
}

/** "open", "waiting": says in which state something is, not what it is. */
export function isState(label: string): boolean {
  return states.test(label) && !label.includes(' ');
}

/** "sends left", "style warnings": a number of them is no value *of* anything. */
export function isMany(label: string): boolean {
  const noun = label.replace(states, '').split(' ').at(-1) ?? '';
  return /[^su]s$/.test(noun) && !/(status|address|ss|is)$/.test(noun);
}

/** What a changing tool did, in the passive: "the VPN was disconnected"; null where the name does not say. */
export function passive(tool: string): string | null {
  const words = splitName(lastPart(tool));
  const [verb, ...rest] = words;
  if (verb === undefined || !isChangingVerb(verb) || verb === 'str') return null;
  const object = trimObject(rest);
  if (object.length === 0) return null;
  const many = object.at(-1)!.endsWith('s') && !/(ss|us|is)$/.test(object.at(-1)!);
  return `the ${spell(object)} ${many ? 'were' : 'was'} ${participle(verb)}${tail(rest, object)}`;
}

/** What a tool tries to do: "close a todo" for `close_todo`; null where its name is no verb with an object. */
export function attempted(tool: string): string | null {
  const [verb = '', ...rest] = splitName(lastPart(tool));
  if (rest.length === 0 || rest.some((word) => prepositions.has(word)) || verb === 'str') return null;
  if (!isChangingVerb(verb) && !isReadingVerb(verb)) return null;
  return `${verb} ${anyOf(spell(rest))}`;
}

/** The same as a question: "was the VPN disconnected". */
export function inverted(tool: string): string | null {
  const told = passive(tool);
  const found = told === null ? null : /^(the .*?) (was|were) (.*)$/.exec(told);
  return found === null ? null : `${found[2]} ${found[1]} ${found[3]}`;
}

/** What stands before a preposition: the file in `copy_file_to_folder`, nothing in `transfer_to_human_agents`. */
function trimObject(rest: readonly string[]): readonly string[] {
  const preposition = rest.findIndex((word) => prepositions.has(word));
  if (preposition === 0) return [];
  return preposition < 0 ? rest : rest.slice(0, preposition);
}

function tail(rest: readonly string[], object: readonly string[]): string {
  return object.length < rest.length ? ` ${spell(rest.slice(object.length))}` : '';
}

const prepositions = new Set(['to', 'from', 'in', 'into', 'for', 'with', 'by', 'on', 'of', 'at']);

/** The part of a dotted name that says what is done: `crm.contacts.update` → `update`, with its object in front. */
function lastPart(tool: string): string {
  const parts = tool.split(/[./:]|__/).filter((part) => part !== '');
  const last = parts.at(-1) ?? tool;
  const before = parts.at(-2);
  if (before === undefined || splitName(last).length > 1) return last;
  return `${last}_${before}`;
}

/** "a", "a and b", "a, b and c". */
export function join(items: readonly string[]): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

export function capitalise(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
