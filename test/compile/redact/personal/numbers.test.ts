import { describe, expect, it } from 'vitest';
import { certainIn, expectMarked, under } from './marked.ts';

describe('payment cards', () => {
  it.each([
    'paid with ⟪CARD|4111 1111 1111 1111⟫ today',
    'paid with ⟪CARD|5555-5555-5555-4444⟫, thanks',
    '⟪CARD|371449635398431⟫',
    'amex ⟪CARD|3714 496353 98431⟫',
    'my card ⟪CARD|30569309025904⟫ is lost',
  ])('are found by issuer, length and check digit: %s', (text) => expectMarked(text));

  it.each([
    '4111 1111 1111 1112',
    'order 30569309025904',
    'at 1700000000000 ms',
    'host-pub-4111111111111111',
    '9111111111111111',
    '41111111111111111111111',
  ])('other numbers are left alone: %s', (text) => expectMarked(text));
});

describe('telephone numbers', () => {
  it.each([
    'call ⟪PHONE|020 7946 0018⟫ or ⟪PHONE|(01632) 960 001⟫',
    'mobile ⟪PHONE|07700 900123⟫, ⟪PHONE|07700900456⟫',
    'from abroad ⟪PHONE|+44 (0)20 7946 0018⟫ or ⟪PHONE|+441632960001⟫',
    'office ⟪PHONE|(212) 555-0100 ext. 12⟫',
    'ring ⟪PHONE|+44.20.7946.0018⟫, ⟪PHONE|0044 20 7946 0018⟫, ⟪PHONE|0033-1-70-36-00-12⟫, ⟪PHONE|00447700900123⟫',
    'line ⟪PHONE|555-123-2001⟫ and ⟪PHONE|1-800-555-0199⟫',
    'Tel: ⟪PHONE|780 6326⟫',
    '⟪PHONE|416 60 039⟫ office',
    'They are not answering at ⟪PHONE|374 780 163⟫',
  ])('are found by their plans, or beside a word for one: %s', (text) => expectMarked(text));

  it.each([
    '2026-03-02T09:14:07Z',
    'order 374 780 163',
    'ticket 1700000000',
    'phone_verified at 1700000000',
    'version 020.7946.0018.1',
    'id 01234567890',
    'call 2026-03-02 again',
    '+12 points, +0000',
    'item 12-34-5678901-2',
  ])('orders, times, versions are none: %s', (text) => expectMarked(text));
});

describe('numbers of persons and of accounts', () => {
  it.each([
    'NHS ⟪NHS_NUMBER|943 476 5919⟫',
    '"nhs_number": "⟪NHS_NUMBER|9434765919⟫"',
    'SSN ⟪SSN|536-90-4399⟫',
    'ITIN ⟪NATIONAL_ID|912-70-1234⟫',
    'aadhaar ⟪NATIONAL_ID|3998 7654 3211⟫',
    'sort code ⟪BANK_ACCOUNT|20-00-00⟫',
    'pay ⟪BANK_ACCOUNT|60-16-13 31926819⟫',
    'account number ⟪BANK_ACCOUNT|31926819⟫',
    'passport number ⟪PASSPORT|925665416⟫',
    'born on ⟪DATE_OF_BIRTH|12 May 1980⟫',
    'DOB: ⟪DATE_OF_BIRTH|1985-06-15⟫',
    'Seattle, WA ⟪POSTCODE|98119-1234⟫',
  ])('are found by checksum, form or cue: %s', (text) => expectMarked(text));

  it.each([
    '043 476 5919 and nhs 9434765918',
    'SSN 666-12-1234',
    'SSN 536-00-4399',
    '536904399',
    'ITIN 911-89-1234',
    'on 12-05-24 at noon',
    'account of 20260302',
    'created 1985-06-15',
    'Birthday party\n  timestamp: 2024-05-14',
    'error 98119',
  ])('the same forms without checksum or cue are left alone: %s', (text) => expectMarked(text));

  it('a form that needs a cue is never certain', () => {
    expect(certainIn('Tel 780 6326, account number 31926819, passport 925665416, born 1985-06-15')).toEqual([]);
    expect(certainIn('4111 1111 1111 1111, 536-90-4399, 943 476 5919, +441632960001')).toEqual([
      'CARD',
      'SSN',
      'NHS_NUMBER',
      'PHONE',
    ]);
  });

  it('a number of JSON is judged by the name of its member', () => {
    expectMarked('⟪PHONE|2125550100⟫', under('phone'));
    expectMarked('⟪PHONE|2125550100⟫', under('number', 'contact', 'phone'));
    expectMarked('⟪SSN|666121234⟫', under('ssn'));
    expectMarked('2125550100', under('offset'));
    expectMarked('1700000000', under('phone_verified_at'));
  });
});
