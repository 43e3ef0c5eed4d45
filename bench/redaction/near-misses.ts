/** What looks like a personal value or a secret and is none: hashes, identifiers, versions, times, amounts, code. */
import { noContext, type TextContext } from '../../src/compile/redact/detection.ts';
import { Dice } from '../../src/demo/dice.ts';

export interface NearMiss {
  name: string;
  text: string;
  context: TextContext;
}

const characters = (dice: Dice, count: number, alphabet: string) =>
  Array.from({ length: count }, () => alphabet[dice.int(0, alphabet.length - 1)]).join('');
const hex = (dice: Dice, count: number) => characters(dice, count, '0123456789abcdef');
const digits = (dice: Dice, count: number) => `${dice.int(1, 9)}${characters(dice, count - 1, '0123456789')}`;
const two = (value: number) => String(value).padStart(2, '0');
const uuid = (dice: Dice) => [8, 4, 4, 4, 12].map((length) => hex(dice, length)).join('-');
const time = (dice: Dice) =>
  `2026-${two(dice.int(1, 12))}-${two(dice.int(1, 28))}T${two(dice.int(0, 23))}:${two(dice.int(0, 59))}:${two(dice.int(0, 59))}`;

type Make = (dice: Dice) => string;

/** Sentences; `key: value` in the second list becomes a member and a line of a log as well. */
const sentences: Record<string, Make> = {
  'git hash': (dice) => `commit ${hex(dice, 40)}\nMerge: ${hex(dice, 7)} ${hex(dice, 9)}\n\n    Mend the build`,
  'git diff': (dice) =>
    `diff --git a/src/a.ts b/src/a.ts\nindex ${hex(dice, 11)}..${hex(dice, 11)} 100644\n@@ -${dice.int(1, 900)},7 +${dice.int(1, 900)},9 @@`,
  'UUID in a path': (dice) => `GET /v2/orders/${uuid(dice)}/items 200 in ${dice.int(3, 900)} ms`,
  'order id': (dice) => `Your order #W${digits(dice, 7)} (ORD-2026-${digits(dice, 6)}) has been sent.`,
  'order number': (dice) => `order ${digits(dice, 10)} of ${dice.int(2, 9)} items, invoice INV-${digits(dice, 8)}`,
  version: (dice) =>
    `upgraded from v${dice.int(1, 20)}.${dice.int(0, 40)}.${dice.int(0, 9)} to ${dice.int(1, 20)}.${dice.int(0, 40)}.${dice.int(0, 9)}-rc.${dice.int(1, 9)}+build.${digits(dice, 6)}`,
  'version of four parts': (dice) =>
    `Chrome/${dice.int(90, 140)}.0.${digits(dice, 4)}.${digits(dice, 3)} on Windows version 10.0.${digits(dice, 5)}.${digits(dice, 4)}`,
  timestamp: (dice) => `${time(dice)}.${digits(dice, 6)}+00:00 INFO started in ${dice.int(1, 99)}.${digits(dice, 3)} s`,
  'time in seconds and milliseconds': (dice) => `created 17${digits(dice, 8)}, updated 17${digits(dice, 11)}`,
  checksum: (dice) => `sha256:${hex(dice, 64)}  ./dist/app.js\nMD5 (${hex(dice, 6)}.tar.gz) = ${hex(dice, 32)}`,
  'image tag': (dice) =>
    `registry.example.org/team/app@sha256:${hex(dice, 64)} and app:2026.${dice.int(1, 12)}.${dice.int(1, 28)}`,
  'file name': (dice) =>
    `IMG_2026${two(dice.int(1, 12))}${two(dice.int(1, 28))}_${digits(dice, 6)}.jpg, report-${digits(dice, 8)}.pdf, node_modules/.bin/tsc`,
  'base64 image': (dice) =>
    `<img src="data:image/png;base64,iVBORw0KGgo${characters(dice, 180, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')}==">`,
  'stack trace': (dice) =>
    `TypeError: x is undefined\n    at load (/srv/app/dist/chunk-${hex(dice, 8)}.js:${dice.int(1, 900)}:${dice.int(1, 90)})\n    at async main.js:${dice.int(1, 99)}:3`,
  amounts: (dice) =>
    `Total £${dice.int(1, 9)},${digits(dice, 3)},${digits(dice, 3)}.${two(dice.int(0, 99))}, VAT ${dice.int(1, 20)} %, ${digits(dice, 3)}.${digits(dice, 2)} kg`,
  coordinates: (dice) => `at 51.${digits(dice, 6)}, -0.${digits(dice, 6)}; zoom ${dice.int(3, 18)}`,
  'memory addresses': (dice) => `segfault at 0x${hex(dice, 16)} ip 0x${hex(dice, 12)} sp 0x${hex(dice, 12)}`,
  'process list': (dice) =>
    `root ${digits(dice, 5)} 0.0 0.1 ${digits(dice, 6)} ${digits(dice, 5)} ? Ss 09:${two(dice.int(0, 59))} 0:0${dice.int(0, 9)} /usr/bin/node`,
  'talk of secrets': (dice) =>
    dice.pick([
      'the password is required and the token has expired',
      'Forgot your password? Use the link to reset it.',
      'password: required, api_key: string, secret: null',
      'Set PASSWORD to $DB_PASSWORD or read it from process.env.TOKEN',
      'max_tokens: 4096, prompt_tokens: 1204, "token_type": "Bearer"',
    ]),
  'code with tokens': (dice) =>
    `const token = tokens[${dice.int(1, 9)}];\nif (token.type === 'ident${dice.int(1, 9)}') return parser.next(token);`,
  products: (dice) =>
    dice.pick([
      'The Air Purifier and the Desk Lamp of Main Street Collection',
      'Bluetooth Speaker, Water Bottle, Mechanical Keyboard',
      'See Release Notes, Known Issues and Getting Started',
    ]),
  'part numbers': (dice) =>
    `parts A${digits(dice, 4)}-${digits(dice, 2)}, BS EN ${digits(dice, 4)}, M${dice.int(3, 12)}x${dice.int(10, 80)}, ISO ${digits(dice, 5)}`,
  'flight and seats': (dice) =>
    `HAT${digits(dice, 3)} from JFK to SEA, seat ${dice.int(1, 40)}C, reservation ${characters(dice, 6, 'ABCDEFGHJKMNPQRSTVWXYZ0123456789')}`,
};

const members: Record<string, [keys: string, make: Make]> = {
  'commit under a key': ['commit sha revision', (dice) => hex(dice, 40)],
  'UUID under a key': ['id request_id trace_id', uuid],
  'order under a key': ['order_id order_number', (dice) => `#W${digits(dice, 7)}`],
  'number under a key': ['item_id product_id ticket', (dice) => digits(dice, 10)],
  'version under a key': [
    'version app_version',
    (dice) => `${dice.int(1, 9)}.${dice.int(0, 20)}.${dice.int(0, 20)}.${dice.int(0, 20)}`,
  ],
  'time under a key': ['created_at timestamp', (dice) => `${time(dice)}Z`],
  'milliseconds under a key': ['ts updated', (dice) => `17${digits(dice, 11)}`],
  'checksum under a key': ['checksum etag md5', (dice) => hex(dice, 32)],
  'count under a key': ['token_count max_tokens', (dice) => digits(dice, 4)],
};

const perKind = 20;

export function nearMisses(seed: number): NearMiss[] {
  const dice = new Dice(seed, 1000);
  const times = <T>(make: () => T): T[] => Array.from({ length: perKind }, make);
  const inSentences = Object.entries(sentences).flatMap(([name, make]) =>
    times(() => ({ name, text: make(dice), context: noContext })),
  );
  const inMembers = Object.entries(members).flatMap(([name, [keys, make]]) =>
    times(() => {
      const key = dice.pick(keys.split(' '));
      const value = make(dice);
      return dice.chance(0.5)
        ? { name, text: value, context: { key, path: [] } }
        : { name, text: `level=info ${key}=${value} done`, context: noContext };
    }),
  );
  return [...inSentences, ...inMembers];
}
