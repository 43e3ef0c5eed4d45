/** Which names of members say what their values are: `customer_email`, `homePhone`, `date-of-birth`. */
import type { Kind } from '../kinds.ts';
import { isDigit } from './characters.ts';

/** Without the borders between their words, so that `first_name`, `firstName` and `firstname` are one. */
const words: [Kind | null, string][] = [
  ['EMAIL', 'email emailaddress mail mailaddress'],
  ['PHONE', 'phone phonenumber phoneno tel telephone telephonenumber mobile mobilenumber mobilephone'],
  ['PHONE', 'cell cellphone cellnumber fax faxnumber landline msisdn whatsapp contactnumber'],
  ['CARD', 'cardnumber cardno creditcard creditcardnumber debitcard debitcardnumber ccnumber'],
  ['IBAN', 'iban ibannumber'],
  ['BANK_ACCOUNT', 'account bankaccount accountnumber accountno acctno acctnumber acct sortcode'],
  ['NHS_NUMBER', 'nhs nhsnumber nhsno'],
  ['NINO', 'nino ninumber nationalinsurance nationalinsurancenumber'],
  ['SSN', 'ssn socialsecurity socialsecuritynumber'],
  ['NATIONAL_ID', 'nationalid nationalidnumber idcardnumber identitynumber taxid taxnumber taxpayerid tin itin'],
  ['NATIONAL_ID', 'aadhaar aadhaarnumber nric pesel personnummer dni nie cpf bsn'],
  ['CRYPTO', 'wallet walletaddress btcaddress bitcoinaddress ethaddress ethereumaddress cryptoaddress'],
  ['POSTCODE', 'postcode postalcode zip zipcode'],
  ['ADDRESS', 'address addressline street streetaddress'],
  ['PASSPORT', 'passport passportnumber passportno passportid'],
  ['DRIVING_LICENCE', 'drivinglicence drivinglicense driverlicence driverlicense driverslicence driverslicense'],
  ['DRIVING_LICENCE', 'drivinglicencenumber driverlicensenumber driverslicensenumber licencenumber licensenumber'],
  ['VEHICLE', 'vrm numberplate licenseplate licenceplate vehicleregistration registrationmark registrationplate'],
  ['IP', 'ip ipaddress ipaddr remoteaddr'],
  ['MAC', 'mac macaddress macaddr'],
  ['DATE_OF_BIRTH', 'dob dateofbirth birthdate birthday'],
  ['PERSON', 'firstname lastname fullname surname givenname familyname middlename maidenname forename'],
  ['PERSON', 'recipient sender payee beneficiary cardholder accountholder policyholder nextofkin'],
  // They end like a place where somebody lives, and are none.
  [null, 'memoryaddress hostaddress serveraddress bindaddress listenaddress baseaddress contractaddress'],
];

const people =
  'customer client patient passenger guest contact recipient sender payee beneficiary holder employee member owner tenant claimant applicant student driver person cardholder accountholder policyholder billing shipping caller subscriber insured traveller traveler attendee spouse parent account';

const endings = new Map<string, Kind | null>([
  ...words.flatMap(([kind, all]) => all.split(' ').map((word): [string, Kind | null] => [word, kind])),
  ...people.split(' ').map((who): [string, Kind] => [`${who}name`, 'PERSON']),
]);

/** Members of these hold a person's or a payment's own values under plain names: `"customer": {"name": …}`. */
const holders = new Set(`${people} user recipients customers users patients passengers employees contacts`.split(' '));

/** Under these a value that is shaped like an IBAN is an account, whatever its checksum. */
const accounts = new Set(
  'iban account acct recipient sender beneficiary payee payer from to source destination target creditor debtor'.split(
    ' ',
  ),
);

/** snake_case, kebab-case, camelCase and words with spaces, in lower case. Numbers at the end are none (`address_2`). */
function wordsOf(key: string): string[] {
  const found = key.slice(0, 64).match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+/g) ?? [];
  while (found.length > 1 && /^\d/.test(found.at(-1)!)) found.pop();
  return found.map((word) => word.toLowerCase());
}

function lookUp(word: string): Kind | null | undefined {
  const exact = endings.get(word);
  if (exact !== undefined) return exact;
  return endings.get(word.replace(/(?<=s)es$/, '')) ?? endings.get(word.replace(/s$/, ''));
}

/**
 * The kind that a member's name says its value is of, by every run of words at its end, the longest first: a
 * `billing_address` is an ADDRESS, an `ip_address` an IP, an `address_count` nothing.
 */
export function kindOfKey(key: string): Kind | null {
  const all = wordsOf(key);
  for (let first = 0; first < all.length; first += 1) {
    const kind = lookUp(all.slice(first).join(''));
    if (kind !== undefined) return kind;
  }
  return null;
}

/** What is known of a member's name. */
export interface Key {
  kind: Kind | null;
  /** Its value is an account, or whoever gets or gives money. */
  account: boolean;
  /** Says what its value is only together with the member around it: `name`, `number`. */
  plain: string | null;
}

const known = new Map<string, Key>();
/** A log has few names of members; whoever makes up more than this is forgotten and asked again. */
const mostKnown = 4096;

export function keyOf(name: string): Key {
  const before = known.get(name);
  if (before !== undefined) return before;
  if (known.size >= mostKnown) known.clear();
  const all = wordsOf(name);
  const plain = all.join('');
  const key = {
    kind: kindOfKey(name),
    account: all.some((word) => accounts.has(word)),
    plain: plainNames.has(plain) ? plain : null,
  };
  known.set(name, key);
  return key;
}

/** The last two letters of every name that says a kind, so that most words before a colon are passed over at a glance. */
const lastLetters = new Uint8Array(1 << 16);
for (const [name, kind] of endings) {
  if (kind === null) continue;
  for (const form of [name, `${name}s`, `${name}es`]) lastLetters[lettersAt(form, form.length)] = 1;
}

function lettersAt(text: string, to: number): number {
  return ((text.charCodeAt(to - 2) | 32) << 8) | ((text.charCodeAt(to - 1) | 32) & 0xff);
}

/** Whether a name that ends at a place may say a kind. One with a number behind it (`address_2`) may. */
export function mayBeKey(text: string, to: number): boolean {
  return isDigit(text.charCodeAt(to - 1)) || lastLetters[lettersAt(text, to) & 0xffff] === 1;
}

const plainNames = new Set(['name', 'first', 'last', 'number', 'value', 'line']);

/** As `kindOfKey`, for a name that says nothing by itself: a `name` within a `customer`, a `number` within a `phone`. */
export function kindWithin({ kind, plain }: Key, holder: string | undefined): Kind | null {
  if (kind !== null || plain === null || holder === undefined) return kind;
  if (plain === 'name') return holders.has(wordsOf(holder).join('')) ? 'PERSON' : null;
  if (plain === 'first' || plain === 'last') return /name$/i.test(holder) ? 'PERSON' : null;
  if (plain === 'number' || plain === 'value') return keyOf(holder).kind;
  return keyOf(holder).kind === 'ADDRESS' ? 'ADDRESS' : null;
}
