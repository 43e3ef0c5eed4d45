/** What a key of Supabase says of itself. It is never shown. */
import { type Check, failure, ok, warning } from '../checks.ts';

interface Claims {
  role?: unknown;
  ref?: unknown;
  /** Seconds since 1970. */
  exp?: unknown;
}

const setting = 'supabase.key (TC_SUPABASE_KEY)';
const makeOne = `make a secret key in the project's settings (API keys), and give that as ${setting}`;

export function keyChecks(key: string, address: URL, now: Date): Check[] {
  const name = 'sink_key';
  if (key.startsWith('sb_secret_')) return [ok(name, 'the key is a secret key')];
  const claims = claimsOf(key);
  if (claims === null) return [ok(name, 'the key is of no form that is known here')];
  const { role, ref, exp } = claims;
  if (role === 'anon' || role === 'authenticated') {
    return [failure(name, `the key is that of the role ${role}, which may write nothing`, makeOne)];
  }
  if (typeof exp === 'number' && exp * 1000 < now.getTime()) {
    return [failure(name, `the key has expired on ${new Date(exp * 1000).toISOString().slice(0, 10)}`, makeOne)];
  }
  const project = /^([a-z0-9]+)\.supabase\.(co|in)$/.exec(address.hostname)?.[1];
  if (project !== undefined && typeof ref === 'string' && ref !== project) {
    return [failure(name, `the key is of project ${ref}, and supabase.url of ${project}`, 'give both of one project')];
  }
  if (role !== 'service_role') return [ok(name, 'the key is a token of a role of its own')];
  const sentence = 'the key is a service-role key of the older form, which Supabase gives up at the end of 2026';
  return [warning(name, sentence, makeOne)];
}

/** Of a JSON Web Token, not verified; null where it is none. */
function claimsOf(key: string): Claims | null {
  const payload = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(key)?.[1];
  if (payload === undefined) return null;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    return typeof claims === 'object' ? claims : null;
  } catch {
    return null;
  }
}
