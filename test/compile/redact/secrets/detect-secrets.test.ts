import { describe, expect, it } from 'vitest';
import { secretSamples } from '../../../../bench/redaction/secret-samples.ts';
import { noContext, type TextContext } from '../../../../src/compile/redact/detection.ts';
import type { Kind } from '../../../../src/compile/redact/kinds.ts';
import { detectSecrets } from '../../../../src/compile/redact/secrets/detect-secrets.ts';

const under = (key: string, ...path: string[]): TextContext => ({ key, path });

/** What is found, as text. */
function foundIn(text: string, context = noContext): string[] {
  return detectSecrets(text, context).map(({ from, to }) => text.slice(from, to));
}

function kindsIn(text: string, context = noContext): Kind[] {
  return detectSecrets(text, context).map(({ kind }) => kind);
}

/** `⟪…⟫` marks what must be found. */
function expectMarked(marked: string, context = noContext): void {
  const text = marked.replaceAll(/⟪|⟫/g, '');
  const wanted = [...marked.matchAll(/⟪(.*?)⟫/gs)].map((match) => match[1]);
  expect(foundIn(text, context)).toEqual(wanted);
}

describe('secrets by their form', () => {
  it.each(secretSamples(7))('finds $name in prose, in a shell line, in escaped text and behind a sign', (sample) => {
    const { value, kind } = sample;
    for (const text of [
      `The service said ${value}. It went on.`,
      `export X=${value}`,
      `{\\"line\\":\\"first\\n${value}\\"}`,
      `x=${value}&y=1`,
      value,
    ]) {
      const covering = detectSecrets(text, noContext).filter(({ from, to }) => {
        const at = text.indexOf(value);
        return from <= at && to >= at + value.length;
      });
      expect(covering, text).toContainEqual(expect.objectContaining({ kind, certain: true }));
    }
  });

  it('covers user and password of a URL and leaves host and path', () => {
    expectMarked('git clone https://⟪deploy:s3cr3t-w0rd⟫@code.example.org/team/tool.git');
    expectMarked('see ftp://⟪anna:p@ss⟫@files.example.org, port 21');
    expectMarked('smtp://⟪anna@example.org:hunter2⟫@mail.example.org:587');
    expectMarked('https://⟪a8b7c6d5e4f3a2b1c0d9e8⟫@code.example.org/tool.git');
  });

  it('covers a whole connection string', () => {
    expectMarked('DATABASE_URL=⟪postgres://app:hunter2@db.internal:5432/shop?sslmode=require⟫ npm start');
    expectMarked('use ⟪mongodb+srv://svc:p/w#1@cluster0.example.net/prod⟫.');
    expectMarked('⟪redis://:n0tAw0rd@cache:6379/0⟫');
    expect(
      kindsIn('"Server=tcp:sql.example.net;Database=shop;User Id=app;Password=Sh0p!pass;Encrypt=true;"'),
    ).toContain('CONNECTION_STRING');
    expect(foundIn('dsn: host=db port=5432 dbname=shop user=app password=Sh0pPass9 sslmode=require')).toContain(
      'host=db port=5432 dbname=shop user=app password=Sh0pPass9 sslmode=require',
    );
    expect(
      foundIn('"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=b64+key/88chars==;EndpointSuffix=x"')[0],
    ).toBe('b64+key/88chars==');
  });

  it('covers a private key with its breaks written out, cut at the end, and cut at the begin', () => {
    const line = 'MIIEpAIBAAKCAQEA7bq0fZ4uUd9mYt1Qe8sVh2cNw3gJx5kLpRiT6aBoXyEzDvFm';
    const armour = (what: string) => `-----${what} RSA PRIVATE KEY-----`;
    const whole = [armour('BEGIN'), line, line, 'abc=', armour('END')];
    for (const eol of ['\n', '\r\n', '\\n', '\\\\n']) expectMarked(`key: x\n⟪${whole.join(eol)}⟫\nnext`);
    expectMarked(`⟪${whole.slice(0, 3).join('\n')}\nMIIEpA⟫... and more was said`);
    expectMarked(`cut: ⟪${line}\n${line}\n${armour('END')}⟫ done`);
    expectMarked(`⟪${armour('BEGIN')}⟫ is how it begins`);
  });

  it('covers a private key in base64, and leaves a certificate', () => {
    const encoded = (what: string) =>
      Buffer.from(`-----BEGIN ${what}-----\nMIIEpAIBAAKCAQEA7bq0fZ4\n`).toString('base64');
    for (const what of ['PRIVATE KEY', 'RSA PRIVATE KEY', 'OPENSSH PRIVATE KEY']) {
      expectMarked(`tls.key: ⟪${encoded(what)}⟫\nnext: 1`);
    }
    expectMarked(`tls.crt: ${encoded('CERTIFICATE')}\nnext: 1`);
  });
});

describe('secrets by name', () => {
  it.each([
    '{"password": "⟪correct horse⟫", "user": "anna"}',
    "config = {'api_key': '⟪k-99-abc⟫'}",
    '{\\"client_secret\\":\\"⟪Zx81!zx81⟫\\",\\"x\\":1}',
    'DB_PASSWORD=⟪swordfish⟫\nPORT=5432',
    'export ADMIN_PASSWD=⟪p(a)s&s;1⟫',
    'password: ⟪letmein⟫\nhost: a',
    'password: ⟪hunter2⟫, next',
    'connect(user=anna, password=⟪swordfish⟫)',
    'const password: string = "⟪Tr0ub4dor⟫";',
    'Authorization: Bearer ⟪c2VjcmV0LXRva2Vu1⟫',
    'curl -H "Authorization: Basic ⟪YW5uYTpodW50ZXIy⟫" https://api.example.org',
    'curl -u anna:⟪hunter2⟫ https://api.example.org',
    'mysql -u root -p⟪hunter2⟫ shop',
    'sshpass -p ⟪hunter2⟫ ssh root@web',
    'tool --password ⟪hunter2⟫ --verbose',
    'tool --api-key=⟪k99abc⟫ --verbose',
    "ALTER USER app WITH PASSWORD '⟪hunter2⟫';",
    "CREATE USER app IDENTIFIED BY '⟪hunter2⟫'",
    'Cookie: ⟪session=9f8e7d6c5b4a3210; theme=dark⟫',
    'Your API key is ⟪zq81-9f3k-77ab⟫.',
    'Your security code is ⟪463820⟫',
    'The access token for staging: ⟪Zk81mQ02xWv97LpT55rY⟫',
    '<password>⟪hunter2⟫</password>',
    '"name": "DB_PASSWORD", "value": "⟪hunter2⟫"',
    'line one\\npassword=⟪hunter2⟫\\nline three',
    'https://example.org/cb?access_token=⟪af81-99kq⟫&state=1',
    'AWS_SECRET_ACCESS_KEY=⟪wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY⟫',
    'token: ⟪9f8e7d6c5b4a⟫',
  ])('%s', (marked) => {
    expectMarked(marked);
  });

  it.each([
    ['password', '⟪correct horse battery⟫'],
    ['dbPassword', '⟪swordfish⟫'],
    ['X-Api-Key', '⟪abcd-efgh⟫'],
    ['Authorization', 'Bearer ⟪af8199kq77⟫'],
    ['authorization', 'Basic ⟪YW5uYTpodW50ZXIy⟫'],
    ['cvv', '⟪123⟫'],
    ['set-cookie', '⟪sid=9f8e7d6c5b4a; HttpOnly⟫'],
    ['session_token', '⟪3f2b8c1e-9a4d-4e6f-8b7a-1c2d3e4f5a6b⟫'],
  ])('under %s the value goes: %s', (key, marked) => {
    expectMarked(marked, under(key));
  });

  it('looks at the member around a neutral one and around a list', () => {
    expectMarked('⟪swordfish⟫', under('value', 'env', 'DB_PASSWORD'));
    expect(foundIn('swordfish', { key: null, path: ['passwords'] })).toEqual(['swordfish']);
  });

  it('is certain of none of them', () => {
    expect(detectSecrets('password: hunter2', noContext).map(({ certain }) => certain)).toEqual([false]);
    expect(detectSecrets('hunter2', under('password')).map(({ certain }) => certain)).toEqual([false]);
  });
});

describe('what is no secret', () => {
  it.each([
    'the password is required',
    'password: required',
    'password: null, token: undefined',
    'password: <redacted>',
    'password: ****',
    'password=$PASSWORD',
    `password=$${'{DB_PASSWORD:-}'}`,
    'password: ⟦SECRET_1⟧',
    'postgres://⟦CREDENTIAL_URL_1⟧@db/shop',
    'postgres://app:⟦SECRET_2⟧@db/shop',
    `postgres://app:$${'{DB_PASSWORD}'}@db/shop`,
    'apiKey: process.env.API_KEY,',
    'api_key=os.environ["API_KEY"]',
    'password = getpass.getpass()',
    'self.password = password',
    'password: string;',
    'password: Optional[str] = None',
    'const token = tokens[index + 1];',
    'TOKEN("member name", TK_DOT);',
    '"token_count": 12, "max_tokens": 4096, "total_tokens": "128000"',
    '"next_page_token": "CAUQAA81xyz99Kq"',
    '"public_key": "AAAAB3NzaC1yc2E81xyz"',
    'Authorization: Bearer <token>',
    'Authorization: Bearer $TOKEN',
    'export OPENAI_API_KEY=your-api-key-here',
    "fetch(url, { credentials: 'same-origin' })",
    "new Client({ apiKey: 'GEMINI_API_KEY' })",
    'signIn(credentials: Web3Credentials): void',
    'const signingKey = !header.alg || other',
    'the access token is *still* valid',
    'CREATE SCHEMA app AUTHORIZATION "testing"',
    'run it with --show-secrets fingerprints',
    'send `?apikey=` and say "your db password:" twice, then "more"',
    'self._passphrase = passphrase\nconnect(authkey=authkey)',
    'Authorization: Bearer https://example.org/rfc6750',
    "user_pass = '%s:%s' % pair",
    'arn:aws:secretsmanager:eu-west-2:123456789012:secret:prod-6chars',
    'export ANTHROPIC_API_KEY=sk-ant-...',
    'api_key: "sk-proj-…"',
    'commit 9fceb02d0ae598e95dc970b74767f19372d61af8',
    'token commit 9fceb02d0ae598e95dc970b74767f19372d61af8',
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'id 3f2b8c1e-9a4d-4e6f-8b7a-1c2d3e4f5a6b, order #W4219264, v1.24.0-rc.1, 2026-03-02T09:00:00Z',
    'src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4"',
    'https://anna@example.org:8080/a@b and postgres://anna@db:5432/shop?to=a@b',
    'http://localhost:8080/path@2x.png and http://example.org:80/a:b@c',
    'ssh git@github.com:team/tool.git',
    'author: Anna, compass: north, keyboard: qwertz2, passenger: 12a',
    'Error code: 463820',
    'sk-learn and risk-assessment-framework-version-2',
    '/etc/secrets/password',
    'password_file: /run/secrets/db_password',
    'hash password with bcrypt and the password is SHA256 hashed',
  ])('%s', (text) => {
    expect(foundIn(text)).toEqual([]);
  });

  it.each([
    ['password', 'The password must be at least 8 characters'],
    ['password', 'null'],
    ['password', '⟦SECRET_1⟧'],
    ['token_type', 'Bearer'],
    ['token', '12'],
    ['tokens', '4096'],
    ['secret_name', 'prod/db/password'],
    ['password_policy', 'strict-90-days'],
    ['pin', 'GPIO 17'],
    ['cookie', 'chocolate chip'],
  ])('under %s: %s', (key, text) => {
    expect(foundIn(text, under(key))).toEqual([]);
  });
});

/** Of processor time: what is quadratic takes ten seconds for such a text. */
const mostSeconds = 1;

it.each([
  'password=',
  'password: "',
  'Password=a;',
  'eyJ-',
  'sk-proj-',
  '-----BEGIN PRIVATE KEY-----\n',
  '-----END PRIVATE KEY-----',
  '://a:b',
  'key',
  'a_a_a_a_',
  'curl -u ',
  'xoxb-1',
  'SG.',
  'Server=a;Password=b c;',
])('takes no time to speak of for 100,000 characters of %j alone', (unit) => {
  const text = unit.repeat(Math.ceil(100_000 / unit.length));
  const begin = process.cpuUsage();
  detectSecrets(text, noContext);
  const { user, system } = process.cpuUsage(begin);
  expect((user + system) / 1e6).toBeLessThan(mostSeconds);
});
