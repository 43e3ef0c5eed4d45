/** What is looked for: the kinds of personal data and of secrets, each with the name that its placeholders carry. */

export const kinds = {
  EMAIL: 'e-mail address',
  PHONE: 'telephone number',
  CARD: 'payment card number',
  IBAN: 'international bank account number',
  BANK_ACCOUNT: 'sort code with account number',
  NHS_NUMBER: 'NHS number',
  NINO: 'National Insurance number',
  SSN: 'US social security number',
  NATIONAL_ID: 'other national identity or tax number, by cue or by checksum',
  CRYPTO: 'crypto wallet',
  POSTCODE: 'postcode',
  ADDRESS: 'address line',
  PASSPORT: 'passport number',
  DRIVING_LICENCE: 'driving licence number',
  VEHICLE: 'vehicle registration mark',
  IP: 'IP address',
  MAC: 'MAC address',
  DATE_OF_BIRTH: 'date of birth',
  PERSON: "person's name",
  CREDENTIAL_URL: 'user and password in a URL',
  CONNECTION_STRING: 'connection string with a password',
  PRIVATE_KEY: 'private key',
  JWT: 'JSON web token',
  API_KEY: "key of a cloud or a vendor, by the vendor's form",
  SECRET: 'password, token or other secret, by the name of its key or by entropy',
} as const;

export type Kind = keyof typeof kinds;
export const kindNames = Object.keys(kinds) as Kind[];

/** Never kept in the vault, never told apart by policy from each other's risk: whoever holds one can act with it. */
export const secretKinds: ReadonlySet<Kind> = new Set([
  'CREDENTIAL_URL',
  'CONNECTION_STRING',
  'PRIVATE_KEY',
  'JWT',
  'API_KEY',
  'SECRET',
]);
