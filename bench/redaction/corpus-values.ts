/** Values of the kinds that British rows hold, made by seed: right by their checksums and forms, and belonging to nobody. */
import type { Kind } from '../../src/compile/redact/kinds.ts';
import type { Dice } from '../../src/demo/dice.ts';
import { secretSamples } from './secret-samples.ts';

export interface Maker {
  kind: Kind;
  make(dice: Dice): string;
  /** Names of members that hold it. */
  keys: readonly string[];
  /** Words before it in a sentence. */
  cues: readonly string[];
  /** Known by itself, so that it is found without any cue. */
  plain: boolean;
  /** What of it must go, where the rest may stay. */
  part?: RegExp;
}

/** What of a value must go. */
export function secretPartOf({ part }: Maker, value: string): string {
  return part === undefined ? value : part.exec(value)![0];
}

const digitsOf = (dice: Dice, count: number) => Array.from({ length: count }, () => dice.int(0, 9)).join('');
const charactersOf = (dice: Dice, count: number, alphabet: string) =>
  Array.from({ length: count }, () => alphabet[dice.int(0, alphabet.length - 1)]).join('');
const inGroups = (text: string, size: number, by = ' ') => text.match(new RegExp(`.{1,${size}}`, 'g'))!.join(by);

const firstNames = [
  'Aoife',
  'Priya',
  'Tomasz',
  'Chidi',
  'Mei',
  'Gethin',
  'Farah',
  'Iona',
  'Kwame',
  'Rosalind',
  'Yusuf',
  'Bronwen',
];
const lastNames = [
  'Testerly',
  'Fakenham',
  'Okonkwo',
  'Nowakowska',
  'Raghunathan',
  'Llywelyn',
  'Mockridge',
  'Sampleton',
  'MacInvent',
  'Qureshi',
];
const streets = ['Example Road', 'Sample Lane', 'Placeholder Avenue', 'Dummy Close', 'Mock Street', 'Pretend Terrace'];

/** ISO/IEC 7812, Annex B. */
export function withLuhn(digits: string): string {
  let sum = 0;
  for (const [index, digit] of [...digits].reverse().entries()) {
    const doubled = Number(digit) * (index % 2 === 0 ? 2 : 1);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return digits + ((10 - (sum % 10)) % 10);
}

/** NHS Data Dictionary: weights 10 to 2, modulo 11; a remainder that asks for 10 is not given out. */
function nhsNumber(dice: Dice): string {
  for (;;) {
    // Numbers from 999 on are kept for tests.
    const digits = `999${digitsOf(dice, 6)}`;
    const sum = [...digits].reduce((total, digit, index) => total + Number(digit) * (10 - index), 0);
    const check = (11 - (sum % 11)) % 11;
    if (check < 10) return `${digits}${check}`;
  }
}

/** ISO 13616 and ISO/IEC 7064, MOD 97-10. */
function iban(dice: Dice): string {
  const account = `TEST${digitsOf(dice, 14)}`;
  const numeric = [...`${account}GB00`].map((character) => Number.parseInt(character, 36)).join('');
  const check = 98n - (BigInt(numeric) % 97n);
  return `GB${String(check).padStart(2, '0')}${account}`;
}

const postcode = (dice: Dice) =>
  `${dice.pick(['SW', 'LS', 'EH', 'CF', 'BT', 'NE', 'PL', 'GU'])}${dice.int(1, 28)} ${dice.int(1, 9)}${charactersOf(dice, 2, 'ABDEFGHJLNPQRSTUWXYZ')}`;
const name = (dice: Dice) => `${dice.pick(firstNames)} ${dice.pick(lastNames)}`;

/** DVLA: surname, decade, month, day, year, initials, tie-break and two more. */
function drivingLicence(dice: Dice): string {
  const surname = dice.pick(lastNames).toUpperCase().slice(0, 5).padEnd(5, '9');
  const month = String(dice.int(1, 12)).padStart(2, '0');
  const day = String(dice.int(1, 28)).padStart(2, '0');
  return `${surname}${dice.int(5, 9)}${month}${day}${dice.int(0, 9)}${charactersOf(dice, 1, 'ABCDEFGHJK')}9${dice.int(2, 9)}${charactersOf(dice, 2, 'ABCDEFGHJK')}`;
}

const base64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const password = (dice: Dice) =>
  `${charactersOf(dice, 6, 'abcdefghjkmnp')}${dice.int(10, 99)}${dice.pick(['!', '%', '-', '_', '+'])}${charactersOf(dice, 3, 'ABCDEFGH')}`;

function privateKey(dice: Dice): string {
  const lines = [64, 64, 64, 40].map((length) => charactersOf(dice, length, base64));
  const what = dice.pick(['RSA ', 'OPENSSH ', 'EC ', '']);
  return [`-----BEGIN ${what}PRIVATE KEY-----`, ...lines, `-----END ${what}PRIVATE KEY-----`].join('\n');
}

const sampleOf = (dice: Dice, isWanted: (kind: Kind) => boolean) =>
  dice.pick(secretSamples(dice.int(1, 1e6)).filter(({ kind }) => isWanted(kind))).value;

const of = (kind: Kind, plain: boolean, keys: string, cues: string, make: Maker['make']): Maker => ({
  kind,
  plain,
  keys: keys.split(' '),
  cues: cues.split('|'),
  make,
});

export const makers: readonly Maker[] = [
  of(
    'EMAIL',
    true,
    'email contactEmail',
    'e-mail|reach me at',
    (dice) =>
      `${name(dice).toLowerCase().replace(' ', '.')}${dice.int(1, 99)}@${dice.pick(['example.co.uk', 'mail.example.org', 'nhs.example.uk'])}`,
  ),
  of('PHONE', true, 'phone mobile_number telephone', 'phone|call me on|Tel:', (dice) =>
    // Ofcom keeps these for drama.
    dice.pick([
      `07700 900${digitsOf(dice, 3)}`,
      `020 7946 0${digitsOf(dice, 3)}`,
      `+44 7700 900${digitsOf(dice, 3)}`,
      `+44 20 7946 0${digitsOf(dice, 3)}`,
      `(0161) 496 0${digitsOf(dice, 3)}`,
      `07700900${digitsOf(dice, 3)}`,
    ]),
  ),
  of('CARD', true, 'card_number cardNumber pan', 'card number|paid with card', (dice) => {
    const digits = withLuhn(dice.pick(['4', '51', '55', '2221']).padEnd(15, digitsOf(dice, 14)));
    return dice.pick([digits, inGroups(digits, 4), inGroups(digits, 4, '-')]);
  }),
  of('IBAN', true, 'iban', 'IBAN|pay into', (dice) => {
    const value = iban(dice);
    return dice.pick([value, inGroups(value, 4)]);
  }),
  of(
    'BANK_ACCOUNT',
    false,
    'bank_account',
    'sort code|pay sort code',
    (dice) => `${inGroups(digitsOf(dice, 6), 2, '-')} account ${dice.int(1, 9)}${digitsOf(dice, 7)}`,
  ),
  of('NHS_NUMBER', false, 'nhs_number nhsNumber', 'NHS number|NHS no.', (dice) => {
    const value = nhsNumber(dice);
    return dice.pick([value, `${value.slice(0, 3)} ${value.slice(3, 6)} ${value.slice(6)}`]);
  }),
  of('NINO', true, 'nino national_insurance_number', 'National Insurance number|NI number', (dice) => {
    const value = `${charactersOf(dice, 1, 'ABCEGHJKLMPRSTWXYZ')}${charactersOf(dice, 1, 'ACEHJLMPRSWXY')}${digitsOf(dice, 6)}${charactersOf(dice, 1, 'ABCD')}`;
    return dice.pick([value, inGroups(value, 2)]);
  }),
  of('POSTCODE', true, 'postcode post_code', 'postcode|delivers to', postcode),
  of(
    'ADDRESS',
    false,
    'address street_address',
    'lives at|address:',
    (dice) => `${dice.int(1, 240)} ${dice.pick(streets)}`,
  ),
  of('PASSPORT', false, 'passport_number passportNumber', 'passport number|passport no', (dice) => digitsOf(dice, 9)),
  of('DRIVING_LICENCE', true, 'driving_licence licence_number', 'driving licence', drivingLicence),
  of(
    'VEHICLE',
    false,
    'vehicle_registration number_plate',
    'vehicle registration|number plate',
    (dice) =>
      `${charactersOf(dice, 2, 'ABCDEFGHJKLMNOPRSTUVWXY')}${dice.pick(['51', '07', '62', '19', '73'])} ${charactersOf(dice, 3, 'ABCDEFGHJKLMNOPRSTUVWXYZ')}`,
  ),
  of('IP', true, 'ip client_ip remoteAddress', 'from|IP address', (dice) =>
    // RFC 5737 and RFC 3849 keep these for documentation.
    dice.pick([
      `203.0.113.${dice.int(1, 254)}`,
      `198.51.100.${dice.int(1, 254)}`,
      `2001:db8::${charactersOf(dice, 3, '123456789abcdef')}`,
    ]),
  ),
  of('MAC', true, 'mac mac_address', 'MAC address', (dice) =>
    inGroups(charactersOf(dice, 12, '0123456789abcdef'), 2, ':'),
  ),
  of('DATE_OF_BIRTH', false, 'date_of_birth dob birthDate', 'date of birth|born on|DOB', (dice) => {
    const [day, month, year] = [dice.int(1, 28), dice.int(1, 12), dice.int(1935, 2008)].map((part) =>
      String(part).padStart(2, '0'),
    );
    return dice.pick([`${day}/${month}/${year}`, `${year}-${month}-${day}`]);
  }),
  of('PERSON', false, 'customer_name full_name patientName', 'customer name:|spoke to Mrs|Dear Dr', name),
  {
    ...of(
      'CREDENTIAL_URL',
      true,
      'remote url',
      'cloned from',
      (dice) => `https://deploy:${password(dice)}@git.example.org/team/tool.git`,
    ),
    part: /deploy:[^@]+/,
  },
  of(
    'CONNECTION_STRING',
    true,
    'database_url dsn',
    'connected to',
    (dice) =>
      `${dice.pick(['postgres', 'mysql', 'mongodb+srv', 'amqp'])}://app:${password(dice)}@db${dice.int(1, 9)}.example.net/shop`,
  ),
  of('PRIVATE_KEY', true, 'key pem identity', 'key file:', privateKey),
  of('JWT', true, 'jwt id_token', 'token', (dice) => sampleOf(dice, (kind) => kind === 'JWT')),
  of('API_KEY', true, 'credential api_key value', 'deployed with', (dice) =>
    sampleOf(dice, (kind) => kind === 'API_KEY'),
  ),
  of('SECRET', false, 'password client_secret db_password apiSecret', 'password:|the password is|API key:', password),
];
