/** A question without what it is about: two that are the same then ask the same of different things. */

const mask = '*';

/** What stands in quotes, whatever it is; an apostrophe opens none. */
const quoted =
  /"[^"]{1,300}"|“[^”]{1,300}”|‘[^’]{1,300}’|`[^`]{1,300}`|(?<![\p{L}\p{N}])'[^']{1,300}'(?![\p{L}\p{N}])/gu;
const placeholder = /⟦[^⟧\s]{1,80}⟧/g;
const word = /[^\s,;?!()]+/g;
/** Ids, paths, addresses, amounts, times: a word with a digit or a sign of code in it. */
const coded = /\d|[_/\\@#=<>{}[\]]|[\p{L}\p{N}][.:][\p{L}\p{N}]|\p{Ll}\p{Lu}/u;
const calendar =
  /\b(?:january|february|march|april|may(?= \*)|june|july|august|september|october|november|december|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b/gi;
const numerals = /\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b/gi;
const capitalised = /\p{Lu}[\p{L}\p{M}'’-]*/gu;

/** Words that open a question, or a sentence of one: no names although a capital begins them. */
const openers = new Set(
  `a according across after all among an and any are as at because before between but by can compared could did do does
   during each for from given had has have how i if in into is it its list name no of on once one or out over since so
   starting state than that the their then there these they this those through to under until upon was were what when
   where whether which while who whom whose why with within without would`.split(/\s+/),
);

/**
 * Ids, numbers, dates, names, what is quoted and what redaction replaced become `*`, neighbours of them one; the rest in
 * lower case, white space folded.
 */
export function maskedQuestion(question: string): string {
  const bare = question
    .normalize('NFC')
    .replace(quoted, mask)
    .replace(placeholder, mask)
    .replace(word, (it) => (coded.test(it) ? mask : it))
    .replace(numerals, mask)
    .replace(capitalised, (it) => (opens(it) ? it : mask))
    .replace(calendar, mask)
    .toLowerCase();
  return bare
    .replace(/['’]s\b/g, '')
    .replace(/\*(?:[\s,.:%$£€+-]*(?:and|of|the)?[\s,.:%$£€+-]*\*)+/g, mask)
    .replace(/\s+/g, ' ')
    .replace(/[\s?.!]+$/, '')
    .trim();
}

function opens(capital: string): boolean {
  const shouted = capital.length > 1 && capital === capital.toUpperCase();
  return !shouted && openers.has(capital.toLowerCase().replace(/['’].*/, ''));
}

/** ISO week of a time as the dataset writes it: `2026-W09`; null where it is none. */
export function isoWeek(time: string | null): string | null {
  const at = time === null ? Number.NaN : Date.parse(time);
  if (Number.isNaN(at)) return null;
  // The week's Thursday says which year the week belongs to.
  const thursday = new Date(at);
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const firstDay = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.ceil(((thursday.getTime() - firstDay) / 86_400_000 + 1) / 7);
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}
