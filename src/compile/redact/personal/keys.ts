/** Which names of members say what their values are: `customer_email`, `homePhone`, `date-of-birth`. */
import type { Kind } from '../kinds.ts';

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
  'customer client patient passenger guest contact recipient sender payee beneficiary holder employee member owner tenant claimant applicant student driver person legal cardholder accountholder policyholder billing shipping caller subscriber insured traveller traveler attendee spouse parent account';

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

/** As `kindOfKey`, for a name that says nothing by itself: a `name` within a `customer`, a `number` within a `phone`. */
export function kindWithin(key: string, holder: string | undefined): Kind | null {
  const kind = kindOfKey(key);
  if (kind !== null || holder === undefined) return kind;
  const plain = wordsOf(key).join('');
  if (plain === 'name') return holders.has(wordsOf(holder).join('')) ? 'PERSON' : null;
  if (plain === 'first' || plain === 'last') return /name$/i.test(holder) ? 'PERSON' : null;
  if (plain === 'number' || plain === 'value') return kindOfKey(holder);
  return plain === 'line' && kindOfKey(holder) === 'ADDRESS' ? 'ADDRESS' : null;
}

/** Whether a member's name says that its value is an account, or whoever gets or gives money. */
export function namesAccount(key: string): boolean {
  return wordsOf(key).some((word) => accounts.has(word));
}
