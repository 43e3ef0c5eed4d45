import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { excerptOf, readable } from '../../src/dataset/excerpt.ts';
import { usd } from '../../src/dataset/figures.ts';
import { wrap } from '../../src/dataset/terminal.ts';

describe('text for a terminal', () => {
  it('loses no character but white space when it is wrapped, and no line is too long', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', '日') }),
        fc.integer({ min: 2, max: 12 }),
        (text, width) => {
          const lines = wrap(text, width);
          expect(lines.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
          for (const line of lines) expect(line.length + (line.match(/日/g)?.length ?? 0)).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  it('shows the quote whole in an excerpt, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('x', ' ') }),
        fc.string({ unit: fc.constantFrom('y', ' ') }),
        (before, after) => {
          const excerpt = excerptOf(`${before}the "quoted" part${after}`, 'the quoted  part', 40);
          expect(excerpt.quote).toBe('the "quoted" part');
          expect(`${before}|`).toContain(excerpt.before.replace(/^…/, '').trimEnd());
          expect(excerpt.before.length + excerpt.after.length).toBeLessThan(60);
        },
      ),
    );
  });

  it('reads JSON text without changing a number', () => {
    expect(readable('{"a":9007199254740993,"b":[1.10,"x\\n\\u00e9"],"c":"1,5:2"}')).toBe(
      '{a: 9007199254740993, b: [1.10, x\né], c: 1,5:2}',
    );
    expect(readable('no JSON: "at" all')).toBe('no JSON: "at" all');
    expect(readable('"broken \\q escape"')).toBe('"broken \\q escape"');
  });

  it('shows money with the digits that matter', () => {
    expect([0, null, 1234.5, 1, 0.0421, 0.00012345, 0.0000001].map(usd)).toEqual([
      '$0',
      'unknown',
      '$1,234.50',
      '$1.00',
      '$0.0421',
      '$0.00012',
      '$0.00000010',
    ]);
  });
});
