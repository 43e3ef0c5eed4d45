/** What a text names: ids, paths, addresses, numbers, dates, times, proper names. The gates compare these. */
import type { RenderedTurn } from './compiler.ts';
import { contentWords, fold } from './fold.ts';

export interface Mentions {
  /** Ids, paths, file names, e-mail addresses, URLs: as written. */
  literals: string[];
  /** Decimal text, normalised: `1,024.50` is `1024.5`. */
  numbers: string[];
  /** Dates as `2026-01-05`, times as `08:26` or `08:26:59`. */
  dates: string[];
  /** Words within a sentence that begin with a capital, and texts in quotation marks. */
  names: string[];
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const monthName = '(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\\.?';

const literalPattern = new RegExp(
  [
    String.raw`https?://[^\s"'<>()\[\]]+`,
    String.raw`[\w.+-]+@[\w-]+(?:\.[\w-]+)+`,
    // Paths: from a root, or with two slashes, or ending in a file name.
    String.raw`(?<![\w.~])(?:~|\.{1,2})?(?:/[\w.@-]+)+/?`,
    String.raw`(?:[\w.@-]+/){2,}[\w.@-]*`,
    String.raw`(?:[\w.@-]+/)*[\w-]{2,}\.[a-z]\w{0,4}\b(?!@)`,
    // Ids: letters and digits, or underscores, in one token.
    String.raw`#?(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{4,}`,
    String.raw`\w+_\w+`,
  ].join('|'),
  'g',
);
const measurePattern = /^\d[\d.,]*[a-z%]{1,4}$|^\d+(st|nd|rd|th)$|^\d+-[a-z]+$/i;

/** Longer words are encoded data: they name nothing. */
const maxWordChars = 500;

/** The mentions of a question, an answer or a turn. */
export function mentionsOf(text: string): Mentions {
  const folded = fold(text);
  const dates: string[] = [];
  const rest = takeDates(folded, dates);
  const literals: string[] = [];
  const take = (match: string) => {
    const literal = match.replace(/[.,:;?!]+$/, '');
    if (measurePattern.test(literal)) return match;
    literals.push(literal);
    return ' ';
  };
  // Word by word: over a megabyte without a space, the pattern would look at every end from every beginning.
  const plain = rest.replace(/\S+/g, (word) => (word.length > maxWordChars ? ' ' : word.replace(literalPattern, take)));
  return {
    literals: unique(literals),
    numbers: unique(numbersIn(plain)),
    dates: unique(dates),
    names: namesIn(plain, folded),
  };
}

/** Whether it names nothing at all. */
export function isEmpty(mentions: Mentions): boolean {
  return Object.values(mentions).every((list) => list.length === 0);
}

/** Each mention by itself. */
export function singly({ literals, numbers, dates, names }: Mentions): Mentions[] {
  const none = { literals: [], numbers: [], dates: [], names: [] };
  return [
    ...literals.map((literal) => ({ ...none, literals: [literal] })),
    ...numbers.map((number) => ({ ...none, numbers: [number] })),
    ...dates.map((date) => ({ ...none, dates: [date] })),
    ...names.map((name) => ({ ...none, names: [name] })),
  ];
}

const numberPattern = /(?<![\p{L}\d_.#])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])|\d+(?:\.\d+)?)/gu;

function numbersIn(text: string): string[] {
  return [...text.matchAll(numberPattern)].map(([digits]) => normalNumber(digits));
}

/** `1,024.50` → `1024.5`, `007` → `7`. */
export function normalNumber(digits: string): string {
  const [whole = '0', fraction = ''] = digits.replaceAll(',', '').split('.');
  const tail = fraction.replace(/0+$/, '');
  const head = whole.replace(/^(-?)0+(?=\d)/, '$1');
  return tail === '' ? head : `${head}.${tail}`;
}

function takeDates(text: string, found: string[]): string {
  const add = (year: string, month: string, day: string) => {
    found.push(`${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}`);
    return ' ';
  };
  const month = (name: string) => String(months.indexOf(name.slice(0, 3).toLowerCase()) + 1);
  return text
    .replace(/\b(\d{4})-(\d{2})-(\d{2})(?!\d)T?/g, (_m, y: string, mo: string, d: string) => add(y, mo, d))
    .replace(new RegExp(`\\b(\\d{1,2})(?:st|nd|rd|th)? ${monthName},? (\\d{4})\\b`, 'gi'), (_m, d, name, y) =>
      add(y, month(name), d),
    )
    .replace(new RegExp(`\\b${monthName} (\\d{1,2})(?:st|nd|rd|th)?,? (\\d{4})\\b`, 'gi'), (_m, name, d, y) =>
      add(y, month(name), d),
    )
    .replace(/\b(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?(?!\d)Z?/g, (_m, h: string, m: string, s?: string) => {
      found.push(`${h.padStart(2, '0')}:${m}${s === undefined ? '' : `:${s}`}`);
      return ' ';
    });
}

/** In double quotation marks, or in single ones that are no apostrophes. */
const quotedPattern =
  /"([^"]{3,300})"(?!\p{L})|“([^”]{3,300})”|(?<![\p{L}\p{N}])['‘]([^'’"]{3,80})['’](?![\p{L}\p{N}])/gu;

/** A capital at the beginning of a sentence says nothing, nor does one of a unit. What is quoted is taken whole. */
function namesIn(plain: string, whole: string): string[] {
  const names = [...plain.matchAll(/(?<=[\p{L},;)'"] |\d[,;)] )\p{Lu}[\p{L}'’-]*\p{L}/gu)].map(([name]) => name);
  const quoted = [...whole.matchAll(quotedPattern)].map((match) => match.slice(1).find(Boolean)!.trim());
  return unique([...names.filter((name) => !/^(I|The|A|An)$/.test(name)), ...quoted]);
}

function unique(values: string[]): string[] {
  return [...new Set(values)];
}

/** A turn's text prepared for many comparisons. */
export interface TurnFacts {
  folded: string;
  lower: string;
  numbers: ReadonlySet<string>;
  dates: ReadonlySet<string>;
}

const factsCache = new WeakMap<RenderedTurn, TurnFacts>();

export function factsOf(turn: RenderedTurn): TurnFacts {
  const known = factsCache.get(turn);
  if (known !== undefined) return known;
  const facts = textFacts(turn.text, turn.turn.createdAt ?? '');
  factsCache.set(turn, facts);
  return facts;
}

/** The facts of any text; the time stands beside it, as the row's own time is no part of the rendering. */
export function textFacts(text: string, time = ''): TurnFacts {
  const folded = fold(text);
  const dates: string[] = [];
  const plain = takeDates(`${folded} ${time}`, dates);
  // A time given to the second also says the minute.
  const minutes = dates.filter((date) => /^\d\d:\d\d:\d\d$/.test(date)).map((date) => date.slice(0, 5));
  return {
    folded,
    lower: folded.toLowerCase(),
    numbers: new Set([...numbersIn(plain), ...numbersIn(folded)]),
    dates: new Set([...dates, ...minutes]),
  };
}

export function holdsLiteral({ lower }: TurnFacts, literal: string): boolean {
  return standsIn(lower, literal.toLowerCase());
}

export function holdsNumber(facts: TurnFacts, number: string): boolean {
  return facts.numbers.has(number);
}

export function holdsDate(facts: TurnFacts, date: string): boolean {
  return facts.dates.has(date);
}

/** Whether every mention stands in one of the texts. */
export function holdsAll(facts: TurnFacts, mentions: Mentions): boolean {
  return (
    mentions.literals.every((literal) => holdsLiteral(facts, literal)) &&
    mentions.numbers.every((number) => holdsNumber(facts, number)) &&
    mentions.dates.every((date) => holdsDate(facts, date)) &&
    mentions.names.every((name) => holdsLiteral(facts, name))
  );
}

/** Whether it holds what the text names; the text's words where it names nothing. */
export function holdsText(facts: TurnFacts, text: string): boolean {
  return holderOf(text)(facts);
}

/** The same for many turns: the text is looked through once. */
export function holderOf(text: string): (facts: TurnFacts) => boolean {
  const mentions = mentionsOf(text);
  if (!isEmpty(mentions)) return (facts) => holdsAll(facts, mentions);
  const words = contentWords(text);
  return ({ lower }) => words.every((word) => lower.includes(word));
}

/** Found not as a part of a longer id or word. */
export function standsIn(text: string, part: string): boolean {
  const isWord = (char: string | undefined) => char !== undefined && /[\p{L}\p{N}_]/u.test(char);
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + 1)) {
    const before = isWord(part[0]) && isWord(text[at - 1]);
    const after = isWord(part.at(-1)) && isWord(text[at + part.length]);
    if (!before && !after) return true;
  }
  return false;
}
