/** Words that say what stands near them: `phone`, `passport`, `Mr`, `Street`. */

/** What a word may say. Bits, as one word may say several things. */
export const cue = {
  /** A number next to it is a telephone's. */
  phone: 1 << 0,
  /** So it may be, if it looks like one: `call me at`, `registered`. */
  call: 1 << 1,
  card: 1 << 2,
  account: 1 << 3,
  sort: 1 << 4,
  nhs: 1 << 5,
  nino: 1 << 6,
  ssn: 1 << 7,
  identity: 1 << 8,
  passport: 1 << 9,
  licence: 1 << 10,
  vehicle: 1 << 11,
  birth: 1 << 12,
  postcode: 1 << 13,
  address: 1 << 14,
  mac: 1 << 15,
  /** A dotted number after it is none of a network. */
  version: 1 << 16,
  /** `Mr`: a surname follows. */
  title: 1 << 17,
  /** `Dear`, `Hi`: a first name follows. */
  greeting: 1 << 18,
  /** `patient`, `spoke to`: a full name may follow. */
  person: 1 << 19,
  /** `Street`, `Road`: a name of one stands before it. */
  street: 1 << 20,
  /** `Way`, `Park`: so they may, where more of an address is next to them. */
  weakStreet: 1 << 21,
  /** `PO Box`, `PSC 3294`. */
  box: 1 << 22,
  /** `name`, in `my name is`. */
  name: 1 << 23,
  /** A number of eight digits is an account's: stricter than `account`, which looks at the form of an IBAN. */
  bank: 1 << 24,
  /** `WA`, in upper case: a ZIP code follows. */
  state: 1 << 25,
  /** `I am`, `I'm`: so may a name. */
  self: 1 << 26,
  /** `Rue`, `Via`: the name of a street stands behind it. */
  streetFirst: 1 << 27,
  /** A date may begin with it. */
  month: 1 << 28,
  /** `thank you,`: a name may follow. */
  thanks: 1 << 29,
  /** `lives at`: a name may stand before it. */
  lives: 1 << 30,
} as const;

export const cueBits = 31;

const said: [number, string][] = [
  [cue.phone, 'phone phones telephone tel mobile cell cellphone fax landline whatsapp sms'],
  [cue.call, 'call calling ring text dial reach registered answering contact telephoned phoned'],
  [cue.card, 'card cards visa mastercard amex maestro discover diners jcb'],
  [cue.account, 'iban account acct bank beneficiary payee recipient transfer pay payment sender wire'],
  [cue.bank, 'account acct'],
  [cue.sort, 'sort sortcode'],
  [cue.nhs, 'nhs'],
  [cue.nino, 'nino insurance'],
  [cue.ssn, 'ssn ssns social'],
  [
    cue.identity,
    'aadhaar nric fin pesel personnummer dni nie nif cpf bsn sin tin itin tax identity identification pan',
  ],
  [cue.identity, 'medicare npi citizen resident steuer fiscal'],
  [cue.passport, 'passport passports'],
  [cue.licence, 'licence license driving dvla'],
  [cue.vehicle, 'vehicle vehicles car van lorry registration reg plate plates vrm vrn numberplate parked'],
  [cue.birth, 'dob born birth birthday birthdate'],
  [cue.postcode, 'postcode postcodes postal zip zipcode'],
  [cue.address, 'address addresses lives living live resides located deliver delivered delivery ship shipping moved'],
  [cue.mac, 'mac ethernet hwaddr'],
  [cue.version, 'v ver version versions release build firmware section chapter figure clause oid'],
  [cue.title, 'mr mrs ms miss mx dr prof professor sir dame rev'],
  [cue.greeting, 'dear hi hello hey'],
  [cue.person, 'patient claimant customer client passenger guest attn signed contact spouse guardian colleague'],
  [cue.person, 'spoke regards sincerely'],
  [cue.name, 'name surname'],
  [cue.street, 'street st road rd avenue ave lane ln drive dr boulevard blvd broadway terrace crescent court ct'],
  [cue.street, 'highway hwy parkway pkwy mews'],
  [cue.weakStreet, 'way park hill row walk close place pl square sq gardens grove green rise view circle cir plaza'],
  [cue.streetFirst, 'rue via calle rua avenida viale piazza'],
  [cue.month, 'january february march april may june july august september october november december'],
  [cue.month, 'jan feb mar apr jun jul aug sep sept oct nov dec'],
  [cue.box, 'psc box unit'],
  [cue.self, 'm am'],
  [cue.thanks, 'you thanks'],
  [cue.lives, 'lives'],
];

const sieveBits = 14;

/**
 * A number below 2^14 out of the length of a word and three of its letters, small or capital. Enough to pass over nearly
 * every word without looking at all of it.
 */
export function glanceAt(text: string, from: number, to: number): number {
  const second = to - from > 1 ? text.charCodeAt(from + 1) | 32 : 0;
  const letters = (text.charCodeAt(from) | 32) + (second << 8) + ((text.charCodeAt(to - 1) | 32) << 16);
  return Math.imul(letters + Math.imul(to - from, 0x1003f), 0x9e3779b1) >>> (32 - sieveBits);
}

/** One slot for each glance. */
export function createSieve(words: Iterable<string>): Uint8Array {
  const sieve = new Uint8Array(1 << sieveBits);
  for (const word of words) sieve[glanceAt(word, 0, word.length)] = 1;
  return sieve;
}

const cueWords = new Map<string, number>();
for (const [says, words] of said) {
  for (const word of words.split(' ')) cueWords.set(word, says | (cueWords.get(word) ?? 0));
}
const cueSieve = createSieve(cueWords.keys());

/** What a word says; 0 where it is no cue. */
export function cuesOf(text: string, from: number, to: number): number {
  return cueSieve[glanceAt(text, from, to)] === 1 ? (cueWords.get(text.slice(from, to).toLowerCase()) ?? 0) : 0;
}
