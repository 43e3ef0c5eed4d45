/** What a text response reports: "Label: value" lines, "X is Y" sentences, status lines, or the sentence itself. */

export interface Reading {
  /** What the value is of; null where the text is one unlabelled statement. */
  label: string | null;
  value: string;
  /** The first number in the value with its unit, where there is one. */
  quantity: Quantity | null;
}

export interface Quantity {
  /** As it stands in the text. */
  text: string;
  unit: string;
}

const maxLines = 40;
const labelled = /^[ \t]*[-*•]?[ \t]*([A-Za-z][\w/()-]*(?: [\w/()-]+){0,4}): +(\S.{0,200})$/;
const sentence =
  /^(?:The |Your )?([A-Z][\w-]*(?: [\w-]+){0,3}?) (?:is|are)(?: now| currently)? ([^.;:()]{1,40})(?=[.;:(]|$)/;
const quantity = /(?<![\w.])([$€£]?)(-?\d+(?:\.\d+)?)(?: ?(%|[A-Za-z][A-Za-z/]{0,6}(?![\w-])))?/;

/** Units that a number can carry in a sentence; other words behind a number are just words. */
const units = new Set(
  '% ms s sec secs seconds min mins minutes h hours d days kb mb gb tb kib mib gib kbps mbps gbps bps kg km m cm mm usd eur gbp points dbm fps rpm hz khz mhz ghz'.split(
    ' ',
  ),
);

export function readingsOf(text: string): Reading[] {
  const lines = text.split('\n', maxLines).filter((line) => line.trim() !== '');
  const found = lines.flatMap(readLine);
  // A sentence among paragraphs ("The new shelf is full!") is prose, no reading.
  const isProse = lines.length > 1 && found.length < lines.length / 2;
  const readings = isProse ? lines.flatMap(readLabelled) : found;
  if (readings.length > 0 || (isProse && found.length > 0)) return readings;
  const whole = text.trim();
  if (lines.length === 1 && whole.length >= 2 && whole.length <= 160) return [reading(null, firstSentence(whole))];
  return [];
}

function readLabelled(line: string): Reading[] {
  const found = labelled.exec(line);
  return found === null ? [] : [reading(found[1]!, firstSentence(found[2]!.trim()))];
}

function readLine(line: string): Reading[] {
  const asLabel = readLabelled(line);
  if (asLabel.length > 0 || /[!?]\s*$/.test(line)) return asLabel;
  const asSentence = sentence.exec(line);
  if (asSentence !== null) return [reading(asSentence[1]!, asSentence[2]!.trim())];
  return [];
}

function reading(label: string | null, value: string): Reading {
  return { label, value, quantity: quantityIn(value) };
}

/** Up to the first full stop that ends a sentence, so that advice behind a value does not belong to it. */
export function firstSentence(text: string): string {
  const end = /[.!?](?=\s+[A-Z])/.exec(text);
  const cut = end === null ? text : text.slice(0, end.index);
  return cut.replace(/\.$/, '');
}

export function quantityIn(value: string): Quantity | null {
  const found = quantity.exec(value);
  if (found === null) return null;
  const [, currency, number, word] = found;
  if (currency !== '' && currency !== undefined) return { text: number!, unit: currency };
  if (word !== undefined && (units.has(word.toLowerCase()) || word.includes('/'))) return { text: number!, unit: word };

  return null;
}

/** The parts of a status line, or null where the value is none. */
export function segmentsOf(value: string): string[] | null {
  const parts = value.split(' | ').map((part) => part.trim());
  return parts.length >= 2 ? parts : null;
}
