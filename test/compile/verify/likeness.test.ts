import { describe, expect, it } from 'vitest';
import { likenessOf } from '../../../src/compile/verify/likeness.ts';

describe('two answers to one question', () => {
  it.each([
    ['Tamsin Okafor', 'tamsin okafor.'],
    ['Tamsin Okafor', 'The depot is led by Tamsin Okafor'],
    ['0.55 kilograms', '0.550 kg'],
    ['2026-03-02', '2 March 2026'],
    ['1,024', '1024'],
    ['⟦EMAIL_1⟧', 'It was sent to ⟦EMAIL_1⟧'],
  ])('are the same: %s / %s', (a, b) => {
    expect(likenessOf(a, b)).toBe('same');
    expect(likenessOf(b, a)).toBe('same');
  });

  it.each([
    ['Tamsin Okafor', 'Wim Adeyemi'],
    ['0.55 kilograms', '0.45 kilograms'],
    ['order #W4219264', 'order #W4219265'],
    ['⟦EMAIL_1⟧', '⟦EMAIL_2⟧'],
    ['08:26', '09:26'],
  ])('are different: %s / %s', (a, b) => {
    expect(likenessOf(a, b)).toBe('different');
    expect(likenessOf(b, a)).toBe('different');
  });

  it.each([
    ['12.5 kg at first, 11.0 kg at the second', '11.0 kg at first, 12.5 kg at the second'],
    ['It rose by 0.55', 'It fell by 0.55'],
    ['the VPN was disconnected', 'the VPN was not disconnected'],
    ['0.55 kilograms', '550 grams'],
    ['3 minutes', '180 seconds'],
    ['Tamsin Okafor', 'Okafor'],
    ['yes', 'it did'],
    ['0.55', 'from 12.40 to 12.95, so 0.55'],
    ['the air purifier', 'a device that cleans the air'],
  ])('are for a reader to compare: %s / %s', (a, b) => {
    expect(likenessOf(a, b)).toBe('unclear');
    expect(likenessOf(b, a)).toBe('unclear');
  });
});
