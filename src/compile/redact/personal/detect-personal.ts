/** Personal data in one text: by its own form, by the words around it, by the name of the member that holds it. */
import type { Detect, Detection } from '../detection.ts';
import { namesFromEmail, readEmails } from './emails.ts';
import { readWholeValue } from './keyed.ts';
import { NameList } from './name-list.ts';
import { Reading } from './reading.ts';
import { scan } from './scan.ts';

export interface PersonalOptions {
  /** Names that an operator wants found wherever they stand. */
  names?: readonly string[];
}

/** Findings may overlap. */
export function createDetectPersonal({ names = [] }: PersonalOptions): Detect {
  const listed = names.length === 0 ? null : new NameList(names, { capitalised: false });
  return (text, context): Detection[] => {
    const reading = new Reading(text, context);
    if (readWholeValue(reading)) return reading.found;
    const emails = readEmails(reading);
    scan(reading);
    if (emails.length > 0) addNamesOf(reading, emails);
    if (listed !== null) addNames(reading, listed, true);
    return reading.found;
  };
}

/** A text that is hardly more than its addresses has no place for a name. */
function addNamesOf(reading: Reading, emails: readonly string[]): void {
  if (reading.text.length < emails.reduce((sum, { length }) => sum + length, leastName)) return;
  const names = [...new Set(emails.flatMap(namesFromEmail))];
  if (names.length > 0) addNames(reading, listOf(names), false);
}

/** The rows of a session name the same people again and again. */
const lists = new Map<string, NameList>();
const listsKept = 64;

function listOf(names: readonly string[]): NameList {
  const key = names.join('\n');
  const known = lists.get(key);
  if (known !== undefined) return known;
  if (lists.size >= listsKept) lists.clear();
  const made = new NameList(names, { capitalised: true });
  lists.set(key, made);
  return made;
}

const leastName = 5;

/** An operator's own names hold wherever they stand. */
function addNames(reading: Reading, names: NameList, certain: boolean): void {
  for (const { from, to } of names.find(reading.text)) reading.add('PERSON', from, to, certain);
}
