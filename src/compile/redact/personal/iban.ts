/** International bank account numbers. */
import { mod97Holds } from './checksums.ts';
import { cue } from './cues.ts';
import { keyOf } from './keys.ts';
import type { Reading } from './reading.ts';

/** SWIFT, IBAN registry (ISO 13616): lengths by country. */
const lengths = new Map(
  'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
    .split(' ')
    .map((entry): [string, number] => [entry.slice(0, 2), Number(entry.slice(2))]),
);

const compact = /[A-Z]{2}\d{2}[A-Z\d]{11,30}(?!\w)/iy;
const grouped = /[A-Z]{2}\d{2}(?:[ -][A-Z\d]{4}){2,7}(?:[ -][A-Z\d]{1,4})?(?!\w)/iy;
/** Behind one of these words a value of the form is an account although its checksum is another's. */
const mostlyDigits = /^[A-Z]{2}\d{2}(?:[A-Z]{4})?[\dA-Z]*\d{8,}$/;

/** Returns where the reading goes on, null where there is none. */
export function readIban(reading: Reading, from: number): number | null {
  const found = reading.match(compact, from) ?? reading.match(grouped, from);
  if (found === null) return null;
  const valid = validPart(found);
  const bare = !/^[A-Z]/.test(found) && !reading.near(cue.account, from, 60);
  // In lower case the form is that of many a hexadecimal number.
  if (bare && (valid === null || isHexadecimal(valid))) return null;
  if (valid !== null) return add(reading, from, valid.length, !bare);
  const plain = found.replace(/[ -]/g, '');
  if (!mostlyDigits.test(plain) || plain.length > 34) return null;
  const cued =
    reading.near(cue.account, from, 60) || (reading.context.key !== null && keyOf(reading.context.key).account);
  return cued || /^[A-Z]{2}\d{18,}$/.test(plain) ? add(reading, from, found.length, false) : null;
}

/** Twenty digits behind a country's letters are none. */
function isHexadecimal(account: string): boolean {
  return /^[\da-f -]+$/i.test(account) && /[a-f]/i.test(account.slice(2));
}

/** The groups that a valid number has: words and numbers may stand behind it. */
function validPart(found: string): string | null {
  const plain = found.replace(/[ -]/g, '').toUpperCase();
  const length = lengths.get(plain.slice(0, 2));
  if (length === undefined || plain.length < length || !mod97Holds(plain.slice(0, length))) return null;
  if (found.length === plain.length) return plain.length === length ? found : null;
  const part = found.slice(0, length + Math.ceil(length / 4) - 1);
  return part.replace(/[ -]/g, '').length === length && !/\w/.test(found.charAt(part.length)) ? part : null;
}

function add(reading: Reading, from: number, length: number, certain: boolean): number {
  reading.add('IBAN', from, from + length, certain);
  return from + length;
}
