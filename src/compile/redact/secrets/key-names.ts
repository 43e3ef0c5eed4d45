/** What the name of a key says about its value: `DB_PASSWORD`, `clientSecret`, `x-api-key`, `Authorization`. */

/**
 * `strong`: the value is a secret unless it plainly is none. `weak`: only where it looks random, for the name has other
 * uses. `header`: a scheme and then a secret. `cookie`: pairs of names and values. `code`: a few digits.
 */
export type KeyStrength = 'strong' | 'weak' | 'header' | 'cookie' | 'code';

const minNameLength = 2;
const maxNameLength = 64;

/** As the last word of a name, or the last two or three run together. */
const strengthOfEnding = new Map<string, KeyStrength>();
const add = (strength: KeyStrength, names: string) => {
  for (const name of names.split(' ')) strengthOfEnding.set(name, strength);
};
add(
  'strong',
  'password passwd passwort pwd passphrase passcode pw userpass dbpass rootpass adminpass mysqlpwd pgpassword',
);
add('strong', 'passwords secrets credential credentials secret clientsecret appsecret sharedsecret consumersecret');
add(
  'strong',
  'apikey apikeys apisecret accesskey secretkey secretaccesskey privatekey signingkey encryptionkey masterkey',
);
add(
  'strong',
  'authkey accountkey sharedaccesskey subscriptionkey servicekey servicerolekey deploykey licensekey hmackey',
);
add('strong', 'accesstoken refreshtoken idtoken authtoken apitoken sessiontoken bearertoken securitytoken usertoken');
add('strong', 'bottoken bearer jwt accesstokens refreshtokens apitokens personalaccesstoken csrftoken xsrftoken');
add('strong', 'mnemonic seedphrase recoveryphrase recoverycode backupcode keypassphrase storepass keypass sessionkey');
add('strong', 'phpsessid jsessionid connectsid');
add('weak', 'token auth sid sessioncookie pass creds cred connectionstring sas webhooksecret storagekey');
add('header', 'authorization proxyauthorization');
add('cookie', 'cookie setcookie cookies');
add('code', 'pin pincode cvv cvc cvv2 cvc2 otp totp mfacode securitycode verificationcode accesscode onetimecode');

/** Written in one word by people who leave separators out. */
const runTogether = /(?:password|passwd|passphrase|apikey|secretkey|accesstoken|authtoken|clientsecret|privatekey)$/;

/** Words after the one that counts: `password_prod`, `API_KEY_2`. */
const trailing =
  /^(?:\d+|value|text|plain|plaintext|raw|prod|production|dev|staging|test|live|old|new|current|previous|confirm|confirmation|again|base64|b64|str|string|env|default|primary|secondary)$/;

/** Tokens of paging and of tokenizers are no secrets. */
const harmlessBefore = new Set(
  'page next continuation sync cursor pagination start eos bos pad sep cls mask unk stop special end cancellation cancel lookahead public publishable idempotency resume'.split(
    ' ',
  ),
);

const words = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+/g;

/** Names recur from row to row. */
const known = new Map<string, KeyStrength | null>();
const maxKnown = 4096;

export function strengthOfKey(name: string): KeyStrength | null {
  if (name.length < minNameLength || name.length > maxNameLength) return null;
  const before = known.get(name);
  if (before !== undefined) return before;
  const strength = judge(name);
  if (known.size >= maxKnown) known.clear();
  known.set(name, strength);
  return strength;
}

function judge(name: string): KeyStrength | null {
  // A variable of minified code.
  if (name === 'Pw') return null;
  const parts = name.match(words);
  if (parts === null) return null;
  let last = parts.length - 1;
  while (last > 0 && trailing.test(parts[last]!.toLowerCase())) last--;
  const [third, second, first] = [last - 2, last - 1, last].map((at) => parts[at]?.toLowerCase() ?? '');
  if (harmlessBefore.has(second!)) return null;
  return (
    strengthOfEnding.get(third! + second! + first!) ??
    strengthOfEnding.get(second! + first!) ??
    strengthOfEnding.get(first!) ??
    (runTogether.test(first!) ? 'strong' : null)
  );
}
