import { describe, expect, it } from 'vitest';
import { isoWeek, maskedQuestion } from '../../src/dataset/masked-question.ts';

describe('a masked question', () => {
  it.each([
    [
      'Which item was exchanged on the order whose address was copied to #W4219264?',
      'Which item was exchanged on the order whose address was copied to #W8855135?',
    ],
    ['How many times did WebSurfer click on "Credits"?', 'How many times did FileSurfer click on “Palma - Palma”?'],
    ['What did Tamsin Okafor send to ⟦EMAIL_3⟧ on 12 May 2026?', 'What did Priya send to ⟦EMAIL_1⟧ on 2026-11-02?'],
    ['Of the orders (#W1, #W2 or #W3), which was kept?', 'Of the orders (#W8 or #W9), which was kept?'],
    ["By how much did Noah's bill of £12.50 rise?", 'By how much did Zoë’s bill of 8 rise'],
    ['Why did `mkdir -p ~/a` fail, and what worked later?', 'Why did `cp a b` fail, and what worked  later?'],
  ])('is the same for %s and %s', (one, other) => {
    expect(maskedQuestion(one)).toBe(maskedQuestion(other));
  });

  it('keeps what is asked', () => {
    expect(maskedQuestion('Why was the order #W1 cancelled?')).not.toBe(
      maskedQuestion('When was the order #W1 cancelled?'),
    );
    expect(maskedQuestion("What do the guests pay? It's Ada's fee.")).toBe('what do the guests pay? it * fee');
  });

  it('takes time in proportion to the text, however hostile it is', () => {
    const texts = ['a'.repeat(2e5), "'".repeat(2e5), '* '.repeat(1e5), 'Aa '.repeat(6e4), '⟦'.repeat(2e5)];
    const began = performance.now();
    for (const text of texts) maskedQuestion(text);
    expect(performance.now() - began).toBeLessThan(texts.length * 1000);
  });
});

describe('the ISO week', () => {
  it.each([
    ['2026-11-21T10:00:00.000000Z', '2026-W47'],
    ['2027-01-03T23:59:59Z', '2026-W53'],
    ['2024-12-30T00:00:00Z', '2025-W01'],
    ['some day', null],
  ])('of %s is %s', (time, week) => {
    expect(isoWeek(time)).toBe(week);
  });
});
