import { describe, expect, it } from 'vitest';
import { createDetect } from '../../../../src/compile/redact/detect.ts';
import { noContext } from '../../../../src/compile/redact/detection.ts';
import { namesFromEmail } from '../../../../src/compile/redact/personal/emails.ts';
import { expectMarked, under } from './marked.ts';

describe('e-mail addresses', () => {
  it.each([
    'to ⟪EMAIL|ann.lee+x@mail.example.co.uk⟫.',
    '<⟪EMAIL|a@b.io⟫>, mailto:⟪EMAIL|bob@example.org⟫?subject=x',
    'first line\\n⟪EMAIL|ann@example.org⟫',
    '⟪EMAIL|zoë@exämple.org⟫',
    "to ⟪EMAIL|mary.o'neil@example.org⟫, b'⟪EMAIL|ann@example.org⟫', it='⟪EMAIL|ann@example.org⟫'",
    '⟪EMAIL|report_of_bob@example.com⟫_2026.pdf',
  ])('are found: %s', (text) => expectMarked(text));

  it.each(['git@github.com:org/repo.git', 'icon@2x.png', 'react@18.2.0', 'q@k.transpose(0, 1)', 'getty@tty1.service'])(
    'what only has the sign is none: %s',
    (text) => expectMarked(text),
  );

  it('tell the names of whoever has them', () => {
    expect(namesFromEmail('john.smith2@example.org')).toEqual(['John Smith']);
    expect(namesFromEmail('JohnSmith@example.org')).toEqual(['John Smith']);
    expect(namesFromEmail('jean-luc.picard@example.org')).toEqual(['Jean-Luc Picard']);
    for (const other of ['info', 'no-reply', 'hr.team', 'j.smith', 'x123', 'networking.participants']) {
      expect(namesFromEmail(`${other}@example.org`)).toEqual([]);
    }
    expectMarked('⟪PERSON|John Smith⟫ (⟪EMAIL|john.smith@example.org⟫) and ⟪PERSON|John A. Smith⟫, not john smithson');
  });
});

describe("persons' names", () => {
  it.each([
    'My name is ⟪PERSON|Noah Ito⟫ and I wait',
    'my name’s ⟪PERSON|Ann Lee⟫.',
    'Dear ⟪PERSON|Mary⟫,\nthank you',
    'Hi ⟪PERSON|Emma⟫,\n\nHere',
    'Mr. ⟪PERSON|Burke⟫ and Dr ⟪PERSON|Wells⟫ came',
    "I'm ⟪PERSON|Katie E Miles⟫, from Leeds",
    'Thank you, ⟪PERSON|Noah Ito⟫. I found it',
    'Name: ⟪PERSON|Emilie Broberg⟫\nPhone: ⟪PHONE|72 128 827⟫',
    "{'first_name': '⟪PERSON|Emma⟫', 'last_name': '⟪PERSON|O’Neil⟫'}",
    'Contact: ⟪PERSON|Jane Smith⟫',
    'Signed,\n⟪PERSON|Emma Johnson⟫',
    '⟪PERSON|Tosh Olsen⟫ lives in Leeds',
  ])('are found by the words beside them: %s', (text) => expectMarked(text));

  it.each([
    'name: Air Purifier',
    '{"name": "Water Bottle"}',
    'name: Build\non: push',
    'Dear Customer, Hello World! Hi There,',
    'from WebSurfer: sender: WebSurfer',
    'Cache Miss Rate, HI New York',
    'on Main Street, at Half Way',
    'a colleague of the Client Service Team',
    "I'm using Python",
  ])('things, tools and greetings to nobody are none: %s', (text) => expectMarked(text));

  it('are what stands under the key of a name', () => {
    expectMarked('⟪PERSON|yusuf⟫', under('first_name'));
    expectMarked('⟪PERSON|Ann Lee⟫', under('name', 'order', 'customer'));
    expectMarked('⟪PERSON|Ann Lee⟫', under('recipient'));
    for (const key of ['name', 'app_name', 'file_name']) expectMarked('Air Purifier', under(key, 'item'));
    expectMarked('WebSurfer', under('recipient'));
    expectMarked('unknown', under('customer_name'));
  });

  it('of the operator are found wherever they stand, in any case, as whole words, and are certain', () => {
    const names = ['Ann Lee', 'Zoë Křenová', 'Bo'];
    const detect = createDetect({ names });
    expectMarked('ask ⟪PERSON|ANN  LEE⟫ or ⟪PERSON|zoe krenova⟫, not Leeann, ⟪PERSON|bo⟫ or Bob', noContext, detect);
    expectMarked('“⟪PERSON|Ann Lee⟫”', noContext, detect);
    expect(detect('Ann Lee', noContext)).toMatchObject([{ kind: 'PERSON', certain: true }]);
  });
});

describe('address lines', () => {
  it.each([
    'ship to ⟪ADDRESS|443 Maple Drive, Suite 394, Fort Worth, TX 76165⟫ please',
    'at ⟪ADDRESS|10 Downing Street, London SW1A 2AA⟫',
    'at ⟪ADDRESS|619 Broadway⟫ now',
    'at ⟪ADDRESS|Dalton Street 123⟫ in',
    'at ⟪ADDRESS|12B St. Mary’s Road⟫',
    '⟪ADDRESS|PO Box 186⟫, ⟪ADDRESS|PSC 3294, Box 9168\nAPO AA 61487⟫',
    "{'street': '⟪ADDRESS|1234 Elm Street⟫', 'city': 'Leeds'}",
    'She lives at ⟪ADDRESS|92597 Jahu 80⟫',
    'in ⟪ADDRESS|Rue de Virton 38⟫',
  ])('are found: %s', (text) => expectMarked(text));

  it.each([
    'Main Street',
    '2 Google Drive files',
    '5 Main Park benches',
    'step 3 Drive',
    'the 1 Way',
    'line 12 St',
    'Wall Street 500',
  ])('what only sounds like one is none: %s', (text) => expectMarked(text));

  it('are what stands under the key of one', () => {
    expectMarked('⟪ADDRESS|Suite 641⟫', under('address2'));
    expectMarked('⟪ADDRESS|221b Baker St⟫', under('street', 'address'));
    expectMarked('0x7ffe12ab', under('address'));
    expectMarked('https://example.org/a b', under('address'));
  });
});
