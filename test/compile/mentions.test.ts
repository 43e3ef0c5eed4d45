import { describe, expect, it } from 'vitest';
import { contentWords, unescapeJson } from '../../src/compile/fold.ts';
import { holdsText, mentionsOf, standsIn, textFacts } from '../../src/compile/mentions.ts';

describe('what a text names', () => {
  it.each([
    ['Order #W4219 of noah_ito_3850', ['#W4219', 'noah_ito_3850']],
    ['write to desk@example.com, please.', ['desk@example.com']],
    ['see https://example.com/a/b?c=1.', ['https://example.com/a/b?c=1']],
    ['edit src/parser/main.c and ~/notes', ['src/parser/main.c', '~/notes']],
    ['parser.c and config.yaml', ['parser.c', 'config.yaml']],
    ['commit 3f9ab12c', ['3f9ab12c']],
    ['27.50Mbps, 5GB, the 3rd and/or the 24-hour one', []],
  ])('%s', (text, literals) => {
    expect(mentionsOf(text).literals).toEqual(literals);
  });

  it('are numbers in one form', () => {
    expect(mentionsOf('1,024.50 and 007 and $3.10 and 27.50 Mbps').numbers).toEqual(['1024.5', '7', '3.1', '27.5']);
  });

  it('are dates and times in one form', () => {
    const { dates, numbers } = mentionsOf('5 March 2026, March 6th, 2026, 2026-03-07T8:05:09.123Z and 9:30');
    expect(dates).toEqual(['2026-03-07', '2026-03-05', '2026-03-06', '08:05:09', '09:30']);
    expect(numbers).toEqual([]);
  });

  it('are names, not the first word of a sentence', () => {
    expect(mentionsOf('Who told Tamsin that the “second gate” was open? The guard.').names).toEqual([
      'Tamsin',
      'second gate',
    ]);
  });

  it('are found in time that grows with the text, whatever it is made of', () => {
    const from = performance.now();
    for (const piece of ['w', 'W1', '_', '/a', 'jan', '[… ', '1,', '"', "a'", '@.', '\\"'])
      mentionsOf(piece.repeat(300_000));
    expect(performance.now() - from).toBeLessThan(20_000);
  });
});

describe('whether a text holds', () => {
  it('a value, not as a part of a longer one', () => {
    expect(standsIn('orders w12 and w123', 'w12')).toBe(true);
    expect(standsIn('orders w123', 'w12')).toBe(false);
    expect(standsIn('badge #7', '#7')).toBe(true);
  });

  it('what a sentence names, in other forms too', () => {
    const facts = textFacts('Paid 1024.50 on 2026-03-05 for PX-4417', '2026-03-06 10:00:00+00');
    expect(holdsText(facts, 'They paid 1,024.5 on 5 March 2026 for PX-4417')).toBe(true);
    expect(holdsText(facts, 'They paid 1,024.6 for PX-4417')).toBe(false);
    expect(holdsText(facts, 'On 6 March 2026 at 10:00')).toBe(true);
  });

  it('the words of a sentence that names nothing', () => {
    const facts = textFacts('the gate was opened slowly');
    expect(holdsText(facts, 'a gate opening')).toBe(true);
    expect(holdsText(facts, 'a window opening')).toBe(false);
  });
});

describe('words and escapes', () => {
  it('keeps the words that carry meaning', () => {
    expect(contentWords('Which parcels were weighed again after the repacking?')).toEqual([
      'parcel',
      'weigh',
      'repack',
    ]);
  });

  it('resolves JSON escapes, and leaves what is none', () => {
    expect(unescapeJson('a \\"b\\"\\n\\u00e9')).toBe('a "b"\né');
    expect(unescapeJson('C:\\temp\\x')).toBeNull();
    expect(unescapeJson('plain')).toBeNull();
  });
});
