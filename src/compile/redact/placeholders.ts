/** What stands in the place of a value, and how nothing that a row says can pass for it. */
import { type Kind, kindNames } from './kinds.ts';

/** `⟦EMAIL_1⟧`; without a number where values are not to be told apart. */
export function placeholderOf(kind: Kind, number: number | null): string {
  return number === null ? `⟦${kind}⟧` : `⟦${kind}_${number}⟧`;
}

const form = `⟦(?:${kindNames.join('|')})(?:_\\d{1,9})?⟧`;
const placeholder = new RegExp(form, 'g');
const placeholderOrBracket = new RegExp(`${form}|[⟦⟧]`, 'g');

/** Ends of the placeholders of a text, in order. */
export function placeholdersIn(text: string): { from: number; to: number }[] {
  if (!text.includes('⟦')) return [];
  return [...text.matchAll(placeholder)].map((match) => ({ from: match.index, to: match.index + match[0].length }));
}

/** The brackets of placeholders as rows may have them: those of mathematics beside them. */
const harmless: Partial<Record<string, string>> = { '⟦': '⟪', '⟧': '⟫' };

/** The text with no bracket of ours in it; as long as before. */
export function withoutBrackets(text: string): string {
  return text.replace(/[⟦⟧]/g, (bracket) => harmless[bracket]!);
}

/** The text with no bracket of ours in it but those of placeholders: nothing hides between two others. */
export function withoutLooseBrackets(text: string): string {
  if (!text.includes('⟦') && !text.includes('⟧')) return text;
  return text.replace(placeholderOrBracket, (found) => harmless[found] ?? found);
}

/** Where brackets of ours stand, with what comes in their place. */
export function bracketsIn(text: string): { at: number; harmless: string }[] {
  return [...text.matchAll(/[⟦⟧]/g)].map((match) => ({ at: match.index, harmless: harmless[match[0]]! }));
}

/** Whether a text may hold such a bracket, written out or as an escape. */
export function mayHoldBrackets(text: string): boolean {
  return text.includes('⟦') || text.includes('⟧') || (text.includes('\\u27') && /\\u27e[67]/i.test(text));
}
