/** Check digits of the numbers that carry them. Callers pass digits (and letters) alone, without separators. */
import { createHash } from 'node:crypto';

/** ISO/IEC 7812-1 annex B, the last digit included. */
export function luhnHolds(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - index) - 48;
    const weighed = index % 2 === 0 ? digit : digit * 2;
    sum += weighed > 9 ? weighed - 9 : weighed;
  }
  return sum % 10 === 0;
}

/** ISO/IEC 7064 MOD 97-10 as ISO 13616 uses it: the first four characters go to the end, letters count 10 to 35. */
export function mod97Holds(iban: string): boolean {
  let rest = 0;
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(char, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** NHS Data Dictionary, "NHS Number": modulus 11 with the weights 10 to 2; a check digit of 10 is never given out. */
export function nhsHolds(digits: string): boolean {
  if (digits.length !== 10 || /^(\d)\1*$/.test(digits)) return false;
  const check = 11 - (weighed(digits, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11);
  return check !== 10 && check % 11 === Number(digits[9]);
}

export function weighed(digits: string, weights: readonly number[]): number {
  return weights.reduce((sum, weight, index) => sum + weight * (digits.charCodeAt(index) - 48), 0);
}

/** Verhoeff's scheme (dihedral group D5), the last digit included. */
export function verhoeffHolds(digits: string): boolean {
  let check = 0;
  for (let index = 0; index < digits.length; index += 1) {
    check = times(check, permuted(digits.charCodeAt(digits.length - 1 - index) - 48, index));
  }
  return check === 0;
}

/** The group's table: rotations are 0 to 4, reflections 5 to 9. */
function times(a: number, b: number): number {
  if (a < 5) return b < 5 ? (a + b) % 5 : 5 + ((a + b) % 5);
  return b < 5 ? 5 + ((a - b) % 5) : (a - b + 5) % 5;
}

const permutation = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

function permuted(digit: number, times: number): number {
  let at = digit;
  for (let left = times % 8; left > 0; left -= 1) at = permutation[at]!;
  return at;
}

const base58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Base58Check of a Bitcoin address: 25 bytes, of which the last four are the double SHA-256 of the others. */
export function base58CheckHolds(text: string): boolean {
  let value = 0n;
  for (const char of text) {
    const digit = base58.indexOf(char);
    if (digit === -1) return false;
    value = value * 58n + BigInt(digit);
  }
  const hex = value.toString(16);
  if (hex.length > 50) return false;
  const bytes = Buffer.from(hex.padStart(50, '0'), 'hex');
  const once = createHash('sha256').update(bytes.subarray(0, 21)).digest();
  return createHash('sha256').update(once).digest().subarray(0, 4).equals(bytes.subarray(21));
}

const bech32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const generators = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** BIP 173 and BIP 350: a segwit address, `bc1…` in one case. */
export function bech32Holds(text: string): boolean {
  const lower = text.toLowerCase();
  if (text !== lower && text !== text.toUpperCase()) return false;
  const values = [3, 3, 0, 2, 3, ...Array.from(lower.slice(3), (char) => bech32.indexOf(char))];
  if (values.includes(-1)) return false;
  const check = values.reduce(polymodStep, 1);
  return check === 1 || check === 0x2bc830a3;
}

function polymodStep(check: number, value: number): number {
  const top = check >>> 25;
  const shifted = ((check & 0x1ffffff) << 5) ^ value;
  return generators.reduce((sum, generator, bit) => ((top >>> bit) & 1 ? sum ^ generator : sum), shifted);
}
