import { expect, it } from 'vitest';
import { keyChecks } from '../../src/doctor/supabase-key.ts';

const address = new URL('https://abcdefgh.supabase.co');
const token = (claims: Record<string, unknown>) =>
  ['{"alg":"none"}', JSON.stringify(claims)]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.')
    .concat('.x');
const look = (key: string) => keyChecks(key, address, new Date('2026-11-21'))[0]!;

it.each([
  ['a secret key', 'sb_secret_not_a_real_key', 'ok', null],
  ['a service-role key of the older form', token({ role: 'service_role' }), 'warning', /make a secret key/],
  ['the key that browsers are given', token({ role: 'anon', ref: 'abcdefgh' }), 'failure', /make a secret key/],
  ['a key that has expired', token({ role: 'service_role', exp: 1_700_000_000 }), 'failure', /make a secret key/],
  ['a key of another project', token({ role: 'service_role', ref: 'zyxwvuts' }), 'failure', /of one project/],
  ['a token of a role of its own', token({ role: 'writer' }), 'ok', null],
  ['a text that is no token', 'x.y.z', 'ok', null],
])('%s is told by itself', (_what, key, outcome, remedy) => {
  const check = look(key);
  expect(check).toMatchObject({ name: 'sink_key', outcome });
  if (remedy === null) expect(check.remedy).toBeNull();
  else expect(check.remedy).toMatch(remedy);
  expect(JSON.stringify(check)).not.toContain(key);
});
