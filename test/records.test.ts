import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isoOf, microsOf } from '../src/records.ts';

describe('microsOf', () => {
  it('keeps the microseconds of a Postgres timestamp', () => {
    expect(microsOf('2026-01-05 08:26:59.153001+00')).toBe(Date.UTC(2026, 0, 5, 8, 26, 59, 153) * 1000 + 1);
    expect(microsOf('2026-01-05 08:26:59')).toBe(Date.UTC(2026, 0, 5, 8, 26, 59) * 1000);
    expect(microsOf('2026-01-05T10:26:59.5+02:00')).toBe(Date.UTC(2026, 0, 5, 8, 26, 59, 500) * 1000);
    expect(microsOf('2026-01-05 08:26:59-05:30')).toBe(Date.UTC(2026, 0, 5, 13, 56, 59) * 1000);
  });

  it('knows infinity, and that other text is no time', () => {
    expect(microsOf('infinity')).toBe(Number.POSITIVE_INFINITY);
    expect(microsOf('-infinity')).toBe(Number.NEGATIVE_INFINITY);
    expect(microsOf('0044-03-15 00:00:00+00 BC')).toBeNull();
    expect(microsOf('yesterday')).toBeNull();
  });

  it('is undone by isoOf for every microsecond of two centuries', () => {
    fc.assert(
      fc.property(fc.integer({ min: Date.UTC(1930, 0) * 1000, max: Date.UTC(2130, 0) * 1000 }), (at) => {
        expect(microsOf(isoOf(at))).toBe(at);
      }),
    );
  });
});
