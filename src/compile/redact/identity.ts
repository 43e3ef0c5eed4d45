/** When two spellings are one value. */
import type { Kind } from './kinds.ts';

type Class = 'address' | 'digits' | 'exact' | 'phone' | 'words';

const classes: Record<Kind, Class> = {
  EMAIL: 'address',
  PHONE: 'phone',
  CARD: 'digits',
  IBAN: 'digits',
  BANK_ACCOUNT: 'digits',
  NHS_NUMBER: 'digits',
  NINO: 'digits',
  SSN: 'digits',
  NATIONAL_ID: 'digits',
  CRYPTO: 'exact',
  POSTCODE: 'digits',
  ADDRESS: 'words',
  PASSPORT: 'digits',
  DRIVING_LICENCE: 'digits',
  VEHICLE: 'digits',
  IP: 'address',
  MAC: 'digits',
  DATE_OF_BIRTH: 'words',
  PERSON: 'words',
  CREDENTIAL_URL: 'exact',
  CONNECTION_STRING: 'exact',
  PRIVATE_KEY: 'exact',
  JWT: 'exact',
  API_KEY: 'exact',
  SECRET: 'exact',
};

/**
 * The same for each spelling of a value, and for no other value: numbers without what groups their digits, addresses
 * of mail and machines in lower case, names and lines of addresses without regard to case and spaces, secrets as they
 * are. Kinds whose values read alike share it, so that a number that is a telephone's here and some id there stays one.
 */
export function identityOf(kind: Kind, text: string): string {
  switch (classes[kind]) {
    case 'exact':
      return `=${text}`;
    case 'address':
      return `@${text.normalize('NFKC').toLowerCase()}`;
    case 'words':
      return `a${wordsOf(text)}`;
    case 'digits':
      return `1${signsOf(text) || text}`;
    case 'phone':
      return `1${nationalNumber(text) || text}`;
  }
}

/** Other ways to write the value, without what groups its digits. */
export function spellingsOf(kind: Kind, text: string): string[] {
  const of = classes[kind];
  if (of !== 'digits' && of !== 'phone') return [text];
  const plain = of === 'phone' ? nationalNumber(text) : signsOf(text);
  const abroad = of === 'phone' && plain.startsWith('0') ? [`44${plain.slice(1)}`] : [];
  return [...new Set([text, plain, ...abroad])];
}

function wordsOf(text: string): string {
  const words = text
    .normalize('NFKC')
    .toLowerCase()
    .split(/[\s,;]+/);
  return words.filter((word) => word !== '').join(' ');
}

/** Letters and digits alone. */
export function signsOf(text: string): string {
  return text
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[^\p{L}\p{N}]+/gu, '');
}

/** As it is dialled within its country, for the two where a leading sign tells which: 0… in the UK, ten digits in the US. */
function nationalNumber(text: string): string {
  const international = /^\s*(?:\+|00)/.test(text);
  const digits = text
    .replace(/\(0\)/, '')
    .replace(/\D+/g, '')
    .replace(international ? /^00/ : /^$/, '');
  if (digits.startsWith('44') && digits.length >= 11) return `0${digits.slice(2).replace(/^0/, '')}`;
  if (digits.startsWith('1') && digits.length === 11) return digits.slice(1);
  return digits;
}
