import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/topic/kafka/entry.ts';
import { letterOf, readLetter } from '../../src/topic/kafka/letters.ts';

const entry: Entry = {
  ...{ topic: 'parcels', partition: 2, offset: 9_000_000, key: 'k'.repeat(500), id: 'i'.repeat(500), identity: 'i' },
  ...{ value: Buffer.alloc(1_000), headers: { id: 'i'.repeat(500) }, publishedAt: 1_700_000_000_000 },
  ...{ attempts: 10, failures: 10, notBefore: 0 },
};
const headroom = 64 * 1024;

describe('a dead letter', () => {
  it('is larger than its message by less than its topic leaves room for, however long the error', () => {
    const { key, value, headers } = letterOf('parcels.g.dead', 'g', entry, 'broken', '\u{1F4E6}'.repeat(500_000));
    const texts = Object.entries(headers).flat();
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), Buffer.byteLength(key));
    expect(bytes).toBeLessThan(headroom);
    expect(value).toEqual(entry.value);
  });

  it('keeps the beginning of a long error', () => {
    const { key, value, headers } = letterOf('parcels.g.dead', 'g', entry, 'broken', `begins ${'x'.repeat(5_000)}`);
    const message = { key: Buffer.from(key), value, headers, timestamp: '0', attributes: 0, offset: '0' };
    const read = readLetter(message);
    expect(read!.letter.error).toMatch(/^begins x+$/);
    expect(read!.letter.error).toHaveLength(2_000);
  });
});
