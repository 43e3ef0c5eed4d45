import { afterEach, describe, expect, it, vi } from 'vitest';
import { apart, createDetect, settle } from '../../../src/compile/redact/detect.ts';
import { type Detection, noContext } from '../../../src/compile/redact/detection.ts';
import { kindNames } from '../../../src/compile/redact/kinds.ts';
import { kindOfKey } from '../../../src/compile/redact/personal/keys.ts';
import { Reading } from '../../../src/compile/redact/personal/reading.ts';
import { expectMarked } from './personal/marked.ts';

const detect = createDetect({ names: ['Ann Lee'] });

function found(kind: Detection['kind'], from: number, to: number, certain = false): Detection {
  return { kind, from, to, certain };
}

describe('findings that overlap', () => {
  const text = 'abcdefghijklmnop';

  it('give way to the longer, and what sticks out of it stays found', () => {
    expect(settle(text, [found('PHONE', 0, 6), found('ADDRESS', 4, 16)])).toEqual([
      found('PHONE', 0, 4),
      found('ADDRESS', 4, 16),
    ]);
    expect(settle(text, [found('POSTCODE', 6, 9, true), found('ADDRESS', 0, 16)])).toEqual([found('ADDRESS', 0, 16)]);
  });

  it('give way to a secret, however short', () => {
    expect(settle(text, [found('ADDRESS', 0, 16, true), found('SECRET', 4, 8)])).toEqual([
      found('ADDRESS', 0, 4),
      found('SECRET', 4, 8),
      found('ADDRESS', 8, 16),
    ]);
  });

  it('give way to what is certain of the same length', () => {
    const pair = [found('PHONE', 0, 8), found('NHS_NUMBER', 0, 8, true)];
    expect(settle(text, pair)).toEqual([found('NHS_NUMBER', 0, 8, true)]);
  });
});

describe('placeholders', () => {
  it.each(kindNames)('⟦%s_1⟧ is nothing to be found, whatever stands around it', (kind) => {
    const mark = `⟦${kind}_12⟧`;
    for (const text of [
      mark,
      `password: ${mark}`,
      `Dear ${mark},`,
      `12 ${mark} Street`,
      `call ${mark} 780`,
      `${mark}@example.org`,
      `+44 ${mark} 900123`,
      `account ${mark}, passport number ${mark}, born ${mark}`,
    ]) {
      const touching = detect(text, noContext).filter(({ from, to }) => {
        const at = text.indexOf(mark);
        return from < at + mark.length && to > at;
      });
      expect(touching, text).toEqual([]);
    }
  });

  it('are no part of any finding', () => {
    const text = 'ab ⟦EMAIL_1⟧ cd ⟦PHONE_1⟧ ef';
    const beside = [found('PERSON', 0, 2), found('PERSON', 13, 15), found('PERSON', 26, 28)];
    const over = [found('ADDRESS', 0, 28), found('PERSON', 4, 9), found('PHONE', 1, 4), found('SECRET', 24, 28)];
    expect(apart(text, [...over, ...beside])).toEqual(beside);
  });

  it('stand beside values without hiding them', () => {
    expectMarked('⟦PERSON_1⟧ ⟪EMAIL|ann@example.org⟫ ⟦PHONE_1⟧ ⟪PHONE|020 7946 0018⟫');
  });
});

describe('names of members', () => {
  it.each([
    ['customer_email', 'EMAIL'],
    ['homePhone', 'PHONE'],
    ['date-of-birth', 'DATE_OF_BIRTH'],
    ['billing_address', 'ADDRESS'],
    ['address_2', 'ADDRESS'],
    ['ip_address', 'IP'],
    ['emails', 'EMAIL'],
    ['IBAN', 'IBAN'],
    ['passengerName', 'PERSON'],
    ['postal code', 'POSTCODE'],
    ['file_name', null],
    ['address_count', null],
    ['memory_address', null],
    ['user_name', null],
  ] as const)('%s says %s', (key, kind) => expect(kindOfKey(key)).toBe(kind));
});

describe('a text of any kind', () => {
  afterEach(() => void vi.restoreAllMocks());

  const units = [
    '1 ',
    '12 34 ',
    '4111 1111 1111 1112 ',
    'a@',
    'a.a.a.',
    'ab:',
    '1::',
    'name: ',
    'Mr A ',
    '1 A Street ',
  ];
  const more = [
    '[({',
    'AA 1',
    'GB29 NWBK ',
    'phone 123 ',
    'address: 1 Aa, ',
    'born 1/1/',
    '00-1A-2B-',
    '⟦',
    'Éa ',
    'x="',
  ];

  it.each([...units, ...more])('is read in steps that grow with its length: %j', (unit) => {
    const steps = (length: number) => {
      const looks = vi.spyOn(Reading.prototype, 'match');
      detect(unit.repeat(Math.ceil(length / unit.length)), noContext);
      const count = looks.mock.calls.length;
      looks.mockRestore();
      return count;
    };
    const [short, long] = [steps(2_000), steps(20_000)];
    expect(long).toBeLessThanOrEqual(short * 11 + 20);
    // No pattern of these looks further than a few hundred characters.
    expect(long).toBeLessThan(20_000 * 3);
  });
});
