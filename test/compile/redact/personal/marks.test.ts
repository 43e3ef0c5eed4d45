import { describe, expect, it } from 'vitest';
import { certainIn, expectMarked, under } from './marked.ts';

describe('bank accounts', () => {
  it('what may be hexadecimal, in lower case and without a cue, is none', () => {
    expectMarked('at be8500000a7b1c2d and on');
    expectMarked('gb30nwbk60161331926819');
  });

  it.each([
    'to ⟪IBAN|GB29NWBK60161331926819⟫ today',
    'to ⟪IBAN|DE89 3704 0044 0532 0130 00⟫ today',
    'NL ⟪IBAN|NL91 ABNA 0417 1643 00⟫ 2026',
    'to ⟪IBAN|gb29nwbk60161331926819⟫ or ⟪IBAN|gb29 nwbk 6016 1331 9268 19⟫',
    'to ⟪IBAN|de89370400440532013000⟫',
    'send it to the account ⟪IBAN|US122000000121212121212⟫',
  ])('an IBAN is found: %s', (text) => expectMarked(text));

  it('a value of the form under an account-like key is one whatever its checksum and country', () => {
    for (const key of ['iban', 'recipient', 'account', 'accountNumber', 'to']) {
      expectMarked('⟪IBAN|UK12345678901234567890⟫', under(key));
      expectMarked('⟪IBAN|GB30NWBK60161331926819⟫', under(key));
    }
    expectMarked('⟪IBAN|MT85MALT011000012345MTLCAST001S⟫', under('to'));
    expectMarked('recipient: ⟪IBAN|GB30NWBK60161331926819⟫');
    expectMarked('GB30NWBK60161331926819', under('build'));
    expect(certainIn('account GB30NWBK60161331926819 and GB29NWBK60161331926819')).toEqual(['IBAN']);
  });
});

describe('British marks', () => {
  it.each([
    'at ⟪POSTCODE|EC2A 1NT⟫, ⟪POSTCODE|DN551PT⟫ and ⟪POSTCODE|GIR 0AA⟫',
    'postcode ⟪POSTCODE|sw1a 1aa⟫',
    'NI number ⟪NINO|AB 12 34 56 C⟫ or ⟪NINO|JK123456D⟫',
    'licence ⟪DRIVING_LICENCE|MORGA657054SM9IJ⟫',
    'a van, ⟪VEHICLE|AB51 ABC⟫, and ⟪VEHICLE|A123 BCD⟫',
    'number plate ⟪VEHICLE|ABC 123D⟫',
    'passport ⟪PASSPORT|AB1234567⟫',
  ])('are found: %s', (text) => expectMarked(text));

  it.each([
    'XA1 1AA, M1 1AI and 1A1 1AA',
    'the S1 2ND edition, P2 3XL, E5 4GB',
    'UV 98 76 54 B and BG123612A',
    'commit ab123456c',
    'SMITH813310AB1CD',
    'O123 BCD, USD 500M',
    'reservation A12BCD',
    'XXXAB51ABCYYY',
    'AB1234567',
    'foo-DN551PT.tar',
  ])('what breaks their rules is left alone: %s', (text) => expectMarked(text));
});

describe('wallets and identity numbers with letters', () => {
  it.each([
    'btc ⟪CRYPTO|16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ⟫',
    '⟪CRYPTO|bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4⟫',
    'eth ⟪CRYPTO|0x52908400098527886E0F7030069857D2E4169EE7⟫',
    'NIE ⟪NATIONAL_ID|X9613851N⟫',
    'NRIC ⟪NATIONAL_ID|S1234567D⟫',
    '⟪NATIONAL_ID|010594Y9032⟫',
  ])('are found by their check characters: %s', (text) => expectMarked(text));

  it.each([
    '16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyY',
    'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5',
    '8f953371d3e85eddb89b05ed6b9e680791055315c73e1025ab5dba7bb2aee189',
    'X9613851Q',
    '3f2a1b9c-0d4e-4f6a-8b7c-1234567890ab',
  ])('others are left alone: %s', (text) => expectMarked(text));
});

describe('addresses of networks', () => {
  it.each([
    'from ⟪IP|10.0.0.1⟫ to ⟪IP|127.0.0.1⟫:80',
    'subnet ⟪IP|192.168.1.0/24⟫, ⟪IP|10.0.0.1⟫-⟪IP|10.0.0.9⟫',
    'http://⟪IP|203.0.113.9⟫/x and http://[⟪IP|2001:db8::1⟫]:8080/',
    'gateway ⟪IP|fe80::1⟫, ⟪IP|::1⟫, ⟪IP|::ffff:10.0.0.1⟫',
    'device ⟪MAC|00:1A:2B:3C:4D:5E⟫, ⟪MAC|01-b3-4a-67-d9-cf⟫, ⟪MAC|0012.3456.789a⟫',
  ])('are found: %s', (text) => expectMarked(text));

  it.each([
    'Chrome/120.0.0.1 and lib-1.2.3.4.tar.gz and v1.2.3.4',
    'version 1.2.3.4, app_version=5.6.1.19, ==1.2.3.4',
    '1.3.6.1.4.1 and 256.1.1.1 and 192.168.1',
    'at 12:34:56 std::cout Foo::bad a[1::2]',
    '2001::25de::cade 12345:db8::1 00:00:00:00:00:00',
    '16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48',
  ])('versions, times and scopes are none: %s', (text) => expectMarked(text));

  it('a version under its key is none', () => {
    expectMarked('5.6.1.19', under('app_version'));
    expectMarked('⟪IP|5.6.1.19⟫', under('client_ip'));
    expect(certainIn('5.6.1.19 and 203.0.113.9')).toEqual(['IP']);
  });
});
