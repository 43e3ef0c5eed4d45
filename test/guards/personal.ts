/** Rules without which personal data would be passed over, or other things be taken for it. */
import type { Guard } from './guard.ts';

const folder = 'src/compile/redact/personal';
const numbers = ['test/compile/redact/personal/numbers.test.ts'];
const marks = ['test/compile/redact/personal/marks.test.ts'];
const names = ['test/compile/redact/personal/names.test.ts'];
const merged = ['test/compile/redact/detect.test.ts'];

export const personalGuards: readonly Guard[] = [
  {
    name: 'personal: a card has its check digit',
    file: `${folder}/cards.ts`,
    old: '  if (!luhnHolds(digits)) return null;\n',
    new: '',
    tests: numbers,
  },
  {
    name: 'personal: an NHS number has its check digit',
    file: `${folder}/numbers.ts`,
    old: '  if (!nhsHolds(row.digits)) return null;\n',
    new: '',
    tests: numbers,
  },
  {
    name: 'personal: a social security number is in the ranges that are given out',
    file: `${folder}/numbers.ts`,
    old: 'if (isSsn(row.digits)) return',
    new: 'if (row.digits) return',
    tests: numbers,
  },
  {
    name: 'personal: what only a cue told is not certain',
    file: `${folder}/numbers.ts`,
    old: 'return notePhone(reading, bracketed(reading, row.from), row.to, false);',
    new: 'return notePhone(reading, bracketed(reading, row.from), row.to, true);',
    tests: numbers,
  },
  {
    name: 'personal: a date is of a birth beside the word alone',
    file: `${folder}/dates.ts`,
    old: ' || !isBeside(reading.text, from)',
    new: '',
    tests: numbers,
  },
  {
    name: 'personal: an IBAN elsewhere has its check digits',
    file: `${folder}/iban.ts`,
    old: ' || !mod97Holds(plain.slice(0, length))',
    new: '',
    tests: marks,
  },
  {
    name: 'personal: under the name of an account the form of an IBAN is enough',
    file: `${folder}/keyed.ts`,
    old: " ?? (key.account ? 'IBAN' : null)",
    new: '',
    tests: marks,
  },
  {
    name: 'personal: prefixes that are no NI number’s are left alone',
    file: `${folder}/marks.ts`,
    old: 'const nino = /(?!BG|GB|NK|KN|TN|NT|ZZ)',
    new: 'const nino = /',
    tests: marks,
  },
  {
    name: 'personal: a version of four parts is no address',
    file: `${folder}/network.ts`,
    old: ' && !isVersion(reading, from, end)',
    new: '',
    tests: marks,
  },
  {
    name: 'personal: four small numbers are no proof of an address',
    file: `${folder}/network.ts`,
    old: "reading.add('IP', from, to, /\\d{3}|^10\\./.test(row));",
    new: "reading.add('IP', from, to, true);",
    tests: marks,
  },
  {
    name: 'personal: part of an identifier is no mark',
    file: `${folder}/marks.ts`,
    old: 'if (isPart(reading.text, from) || !(capital ||',
    new: 'if (!(capital ||',
    tests: marks,
  },
  {
    name: 'personal: greetings to nobody name nobody',
    file: `${folder}/names.ts`,
    old: "  if (noName.has(text.toLowerCase().replace(/['’]s$/, ''))) return false;\n",
    new: '',
    tests: names,
  },
  {
    name: 'personal: the name of an e-mail address is looked for beside it',
    file: `${folder}/detect-personal.ts`,
    old: '    if (emails.length > 0) addNamesOf(reading, emails);\n',
    new: '',
    tests: names,
  },
  {
    name: 'personal: names of the operator are looked for',
    file: `${folder}/detect-personal.ts`,
    old: '    if (listed !== null) addNames(reading, listed, true);\n',
    new: '',
    tests: names,
  },
  {
    name: 'personal: placeholders are nothing to be found',
    file: 'src/compile/redact/detect.ts',
    old: 'return next === taken.length || taken[next]!.from >= to;',
    new: 'return true;',
    tests: merged,
  },
  {
    name: 'personal: a secret goes before personal data',
    file: 'src/compile/redact/detect.ts',
    old: 'return secret || ',
    new: 'return ',
    tests: merged,
  },
  {
    name: 'personal: what sticks out of a better finding stays found',
    file: 'src/compile/redact/detect.ts',
    old: 'return [{ kind, from, to, certain: false }];',
    new: 'return [];',
    tests: merged,
  },
  {
    name: 'personal: what may be hexadecimal is no account in lower case',
    file: `${folder}/iban.ts`,
    old: 'valid === null || isHexadecimal(valid)',
    new: 'valid === null',
    tests: marks,
  },
  {
    name: 'personal: a quote before an address of mail is no apostrophe',
    file: `${folder}/emails.ts`,
    old: ' && !isPrefix(text, at);',
    new: ';',
    tests: names,
  },
];
