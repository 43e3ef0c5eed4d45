import { expect, it } from 'vitest';
import { createDetect } from '../../../src/compile/redact/detect.ts';
import { trajectoryOf } from '../../support/trajectories.ts';
import { redactorOf } from './detectors.ts';

const email = 'bob@example.com';

async function redacted(response: unknown): Promise<string> {
  const redactor = redactorOf({ detect: createDetect({ names: [] }) });
  const { trajectory } = await redactor.redact(trajectoryOf([{ response }]));
  return JSON.parse(trajectory.turns[0]!.response!) as string;
}

it.each([
  ['a URL', 'https://x.example/?to=bob%40example.com&n=1', 'https://x.example/?to=⟦EMAIL_1⟧&n=1'],
  ['a URL within a URL', 'https://x.example/?u=%2Fa%3Fto%3Dbob%2540example.com', /^https:[^@]*to%3D⟦EMAIL_1⟧$/],
  ['a URL with a telephone number', 'https://x.example/?p=%2B447700900123', 'https://x.example/?p=⟦PHONE_1⟧'],
  ['a URL with a card', 'c=4111%201111%201111%201111;', 'c=⟦CARD_1⟧;'],
  ['a URL with another URL and its password', 'postgres%3A%2F%2Fu%3Ahunter-22%40h%2Fdb', /^(?!.*hunter)/],
  ['HTML', '<a>bob&#64;example.com</a> <b>bob&#x40;example&period;com</b>', '<a>⟦EMAIL_1⟧</a> <b>⟦EMAIL_1⟧</b>'],
  ['source code', "'bob\\x40example.com'", "'⟦EMAIL_1⟧'"],
  ['mail, at a soft line break', 'to bob@exam=\r\nple.com', 'to ⟦EMAIL_1⟧'],
  ['signs of full width', 'ｂｏｂ＠ｅｘａｍｐｌｅ．ｃｏｍ, ４１１１１１１１１１１１１１１１', '⟦EMAIL_1⟧, ⟦CARD_1⟧'],
  ['text with signs that nobody sees', 'to b\u200bob@exam\u00adple.com', 'to ⟦EMAIL_1⟧'],
  [
    'spaces and dashes of a typesetter',
    '4111\u20091111\u20091111\u20091111, 4111\u20131111\u20131111\u20131111',
    '⟦CARD_1⟧, ⟦CARD_1⟧',
  ],
])('a value in %s is found, and nothing around it is changed', async (_, text, expected) => {
  const found = await redacted(text);
  if (typeof expected === 'string') expect(found).toBe(expected);
  else expect(found).toMatch(expected);
});

it('what is encoded and holds nothing stays as it is written', async () => {
  const text = 'https://x.example/a%20b?q=50%25&t=%E2%82%AC &amp; &lt;b&gt; x\u00a0y \u2013 c\\x20d =\n';
  expect(await redacted(text)).toBe(text);
});

it('a value is one value however it is disguised', async () => {
  expect(await redacted(`${email} bob%40example.com bob&commat;example.com`)).toBe('⟦EMAIL_1⟧ ⟦EMAIL_1⟧ ⟦EMAIL_1⟧');
});

it('a name beside a value says what it is, in either order, of strings and of numbers', async () => {
  const pairs = [
    { name: 'DB_PASSWORD', value: 'hunter-22' },
    { value: 'swordfish-7', variable: 'API_TOKEN' },
    { Key: 'customer_name', Value: 'jane doe' },
    { field: 'pin', value: 482913 },
    { name: 'colour', value: 'green' },
    { password: { name: 'current', value: 'hunter-23' } },
  ];
  const text = JSON.stringify(await redacted(pairs));
  expect(text).not.toMatch(/hunter|swordfish|jane|482913/);
  expect(text).toContain('"value":"green"');
});
