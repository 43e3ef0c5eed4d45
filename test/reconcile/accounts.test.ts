import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  accountFor,
  type BucketReport,
  emptyReport,
  faultsOf,
  judge,
  type Sight,
  settle,
  type TableRow,
  totalOf,
} from '../../src/reconcile/accounts.ts';
import { rangesOf } from '../../src/reconcile/faulty.ts';

const row: TableRow = { rowKey: '1', createdAt: null, digest: 'key:now', excluded: false };
const live = { kind: 'live' } as const;
const sealed = (published: boolean) => ({ kind: 'sealed', trajectoryId: 't', published }) as const;
const heldAs = (digest: string | null, trajectoryId = 't') => ({ trajectoryId, digest });

describe('a row of the table', () => {
  it.each<[string, Partial<TableRow>, Sight, object]>([
    ['is in the dataset', {}, { ledger: null, held: [heldAs('key:now')] }, { class: 'dataset' }],
    ['is in the dataset twice', {}, { ledger: null, held: [heldAs(null), heldAs(null, 'u')] }, { class: 'doubled' }],
    ['counts once for one trajectory', {}, { ledger: null, held: [heldAs(null), heldAs(null)] }, { class: 'dataset' }],
    ['was changed since it was compiled', {}, { ledger: null, held: [heldAs('key:then')] }, { class: 'altered' }],
    ['was changed since it was taken in', {}, { ledger: { same: false, fate: live }, held: [] }, { class: 'altered' }],
    ['has a digest of another key', {}, { ledger: null, held: [heldAs('other:then')] }, { class: 'dataset' }],
    [
      'has a digest of another key in ledger and dataset',
      {},
      { ledger: { same: false, fate: sealed(true) }, held: [heldAs('other:then')] },
      { class: 'dataset' },
    ],
    ['is in an open part', {}, { ledger: { same: true, fate: live }, held: [] }, { class: 'open' }],
    ['is in the outbox', {}, { ledger: { same: true, fate: sealed(false) }, held: [] }, { class: 'on_the_way' }],
    [
      'was let go',
      {},
      { ledger: { same: true, fate: { kind: 'released', reason: 'short_at_cap' } }, held: [] },
      { class: 'let_go', reason: 'short_at_cap' },
    ],
    ['is left out by a rule', { excluded: true }, { ledger: null, held: [] }, { class: 'excluded' }],
    [
      'was taken in before the rule',
      { excluded: true },
      { ledger: { same: true, fate: live }, held: [] },
      { class: 'open' },
    ],
    [
      'was published and is not in the dataset',
      {},
      { ledger: { same: true, fate: sealed(true) }, held: [] },
      { suspect: 'undelivered', trajectoryId: 't' },
    ],
    ['is known nowhere', {}, { ledger: null, held: [] }, { suspect: 'unknown' }],
  ])('%s', (_, changes, sight, judgement) => {
    expect(judge({ ...row, ...changes }, sight)).toEqual(judgement);
  });
});

describe('the account of an hour', () => {
  const sights = fc.record({
    ledger: fc.option(
      fc.record({
        same: fc.constantFrom(true, false, null),
        fate: fc.constantFrom(live, sealed(true), sealed(false), {
          kind: 'released' as const,
          reason: 'below_min_turns',
        }),
      }),
    ),
    held: fc.array(
      fc.record({ trajectoryId: fc.constantFrom('t', 'u'), digest: fc.constantFrom('key:now', 'key:then', null) }),
      {
        maxLength: 3,
      },
    ),
  });

  it('has each row in exactly one class, however the rows come in pages', () => {
    fc.assert(
      fc.property(fc.array(sights, { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (seen, pageRows) => {
        const rows = seen.map((_, i) => ({ ...row, rowKey: String(i) }));
        const paged = account(rows, seen, pageRows);
        const whole = account(rows, seen, rows.length + 1);
        expect(paged).toEqual(whole);
        expect(sum(paged)).toBe(rows.length);
        expect(totalOf([paged, whole]).rows).toBe(2 * rows.length);
        expect(faultsOf(paged)).toBeLessThanOrEqual(rows.length);
      }),
    );
  });
});

function account(rows: TableRow[], seen: Sight[], pageRows: number): BucketReport {
  const report = emptyReport(0);
  for (let at = 0; at < rows.length; at += pageRows) {
    const suspects = accountFor(report, rows.slice(at, at + pageRows), ({ rowKey }) => seen[Number(rowKey)]!);
    for (const _ of suspects) settle(report, 'behind');
  }
  return report;
}

const sum = ({ classes }: BucketReport) => Object.values(classes).reduce((a, b) => a + b, 0);

describe('what a repair reads again', () => {
  it('is the hours with faults, near ones together', () => {
    expect(rangesOf(new Set([490_000, 490_002, 490_100]))).toEqual([
      { since: '2025-11-24T16:00:00Z', until: '2025-11-24T19:00:00Z' },
      { since: '2025-11-28T20:00:00Z', until: '2025-11-28T21:00:00Z' },
    ]);
    expect(rangesOf(new Set())).toEqual([]);
  });

  it('is the whole table where a row has no time', () => {
    expect(rangesOf(new Set([490_000, null]))).toEqual([{ since: null, until: null }]);
  });

  it('covers every hour with a fault, in a bounded number of ranges', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 100_000 }), { maxLength: 200 }), (hours) => {
        const ranges = rangesOf(new Set(hours)).map(({ since, until }) => [Date.parse(since!), Date.parse(until!)]);
        expect(ranges.length).toBeLessThanOrEqual(20);
        for (const hour of hours) {
          expect(ranges.some(([from, to]) => hour * 3_600_000 >= from! && hour * 3_600_000 < to!)).toBe(true);
        }
      }),
    );
  });
});
