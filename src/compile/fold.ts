/** Text brought to one form before it is compared. */

/** NFC, white space folded to single spaces: the form in which quotes are looked for and offsets are counted. */
export function fold(text: string): string {
  return text.normalize('NFC').replace(/\s+/g, ' ').trim();
}

/** Folded, lower case, without punctuation at either end: the form in which two questions are the same question. */
export function normalise(text: string): string {
  return fold(text)
    .toLowerCase()
    .replace(/^[\s\p{P}]+|[\s\p{P}]+$/gu, '');
}

/** A quote that was copied with JSON escapes (`\n`, `\"`, `\u00e9`) as the text it stands for; null if it is none. */
export function unescapeJson(text: string): string | null {
  if (!text.includes('\\')) return null;
  try {
    // Quotation marks that are not escaped would end the string early.
    return JSON.parse(
      `"${text
        .replace(/(?<!\\)((?:\\\\)*)"/g, '$1\\"')
        .replace(/\n/g, '\\n')
        .replace(/\t/g, '\\t')}"`,
    );
  } catch {
    return null;
  }
}

const stopwords = new Set(
  `a about after again all also an and any are as at be been before being between both but by can could did do does
  during each either for from had has have her his how if in into is it its itself later many more most much no not of
  off on once one only or other our out over own same she so some such than that the their them then there these they
  this those through to too under until up use used using very was were what when where which while who whom whose why
  will with would you your yes`.split(/\s+/),
);

/** The words that carry a text's meaning, lower case, roughly stemmed, each once. */
export function contentWords(text: string): string[] {
  const words =
    fold(text)
      .toLowerCase()
      .match(/\p{L}[\p{L}\p{N}]{2,}/gu) ?? [];
  return [...new Set(words.filter((word) => !stopwords.has(word)).map(stem))];
}

function stem(word: string): string {
  if (word.length < 6) return word.replace(/(?<=\p{L}{3})s$/u, '');
  return word.replace(/(ing|ed|es|s|ly)$/u, '');
}
