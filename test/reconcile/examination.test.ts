/** Readings of a table that changes while it is read, beside a journal and a dataset that do. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HeldRow } from '../../src/dataset-tables.ts';
import { Examination, type ExaminationParts, spansOf } from '../../src/reconcile/examination.ts';
import { LedgerView } from '../../src/reconcile/ledger-view.ts';
import type { Turn } from '../../src/records.ts';
import { createDigester } from '../../src/row-digest.ts';
import { hour, LogWriter, minute, watermark } from '../sessionizer/log.ts';
import { TemporaryJournal } from '../sessionizer/temporary-journal.ts';
import { describeRows, type TableStub } from './table-stub.ts';

const digester = createDigester('a key for tests only');
let log: LogWriter;
let temporary: TemporaryJournal;

beforeEach(() => {
  log = new LogWriter();
  temporary = new TemporaryJournal({ digester });
});
afterEach(() => temporary.remove());

const turns = (count: number, at: number, session = 's') =>
  Array.from({ length: count }, (_, n) => log.turn({ at: at + n, session }));

/** What the examination says of all rows, its parts but those given being a table that shows `rows` and an empty dataset. */
async function examine(rows: Turn[], changes: Partial<ExaminationParts> & { table?: Partial<TableStub> } = {}) {
  const { journal } = temporary;
  const { table, ...parts } = changes;
  const standing = {
    progress: null,
    lastPosition: null,
    watermark: null,
    injection: null,
    began: null,
    firstBucket: null,
  };
  const examination = new Examination(
    {
      reader: describeRows(rows, table),
      digester,
      view: new LedgerView(journal.ledger, true),
      held: { sink: 'sqlite', rowsHeld: async () => new Map(), close: async () => {} },
      delivery: { find: async () => new Map(), close: async () => {} },
      ledgerBuckets: () => journal.ledger.buckets(),
      gap: null,
      standing: () => ({ ...standing, history: 'done' }),
      hasPassed: async () => true,
      visibleWithinMs: 5,
      onProgress: () => {},
      signal: new AbortController().signal,
      ...parts,
    },
    { since: null, until: null },
  );
  await examination.run();
  const reports = [...examination.reports.values()];
  const classes: Record<string, number> = {};
  for (const report of reports) {
    for (const [name, n] of Object.entries(report.classes)) if (n > 0) classes[name] = (classes[name] ?? 0) + n;
  }
  const sum = (name: 'gone' | 'pruned') => reports.reduce((all, report) => all + report[name], 0);
  return { classes, gone: sum('gone'), pruned: sum('pruned') };
}

const heldIn = (rows: Turn[], trajectoryId = 't'): Map<string, HeldRow[]> =>
  new Map(rows.map((row) => [row.rowKey, [{ trajectoryId, digest: digester.digestOf(row) }]]));

describe('a row that is not known when it is read', () => {
  it('is missing only where capture has passed it', async () => {
    const rows = turns(4, 0);
    expect(await examine(rows)).toMatchObject({ classes: { missing: 4 } });
    expect(await examine(rows, { hasPassed: async () => false })).toMatchObject({ classes: { behind: 4 } });
  });

  it('is known where capture takes it in while it is waited for', async () => {
    const rows = turns(4, 0);
    const hasPassed = async () => {
      temporary.take(rows);
      return true;
    };
    expect(await examine(rows, { hasPassed })).toEqual({ classes: { open: 4 }, gone: 0, pruned: 0 });
  });

  it('is unread before capture began, but for rows that were taken in beside the stream', async () => {
    const [old, backfilled, now] = [turns(2, 0), turns(3, 5 * hour), turns(3, 9 * hour)];
    temporary.take([...backfilled.slice(0, 2), ...now.slice(0, 2)]);
    const began = { history: 'none', began: Date.parse(now[0]!.createdAt!) * 1000 } as const;
    const standing = { progress: null, lastPosition: null, watermark: null, injection: null, firstBucket: null };
    const seen = await examine([...old, ...backfilled, ...now], { standing: () => ({ ...standing, ...began }) });
    expect(seen.classes).toEqual({ unread: 2, open: 4, missing: 2 });
  });

  it('is from before the ledger where that has a gap', async () => {
    const rows = turns(2, 0);
    const gap = { rows: 2, lastPosition: null, watermark: Number.MAX_SAFE_INTEGER };
    expect((await examine(rows, { gap })).classes).toEqual({ before_ledger: 2 });
  });
});

describe('a row of a published trajectory', () => {
  let rows: Turn[];
  beforeEach(() => {
    rows = turns(4, 0);
    temporary.take([...rows, watermark(hour)]);
  });

  it('is on its way as long as the outbox or a topic has it, and lost after that', async () => {
    expect((await examine(rows)).classes).toEqual({ on_the_way: 4 });
    const [id] = temporary.finishAll();
    const find = async () => new Map([[id!, 'parked' as const]]);
    expect((await examine(rows, { delivery: { find, close: async () => {} } })).classes).toEqual({ parked: 4 });
    expect((await examine(rows)).classes).toEqual({ lost: 4 });
    expect((await examine(rows, { delivery: null })).classes).toEqual({ published: 4 });
  });

  it('is not lost where it gets into the dataset while the topics are asked', async () => {
    temporary.finishAll();
    let delivered = false;
    const find = async () => {
      delivered = true;
      return new Map();
    };
    const rowsHeld = async () => (delivered ? heldIn(rows) : new Map());
    const held = { sink: 'sqlite' as const, rowsHeld, close: async () => {} };
    expect((await examine(rows, { held, delivery: { find, close: async () => {} } })).classes).toEqual({ dataset: 4 });
  });
});

describe('a row that was taken in', () => {
  it('is gone where the table no longer has it, pruned where all that the table has is younger', async () => {
    const [old, young] = [turns(3, 0), turns(3, 2 * hour, 'u')];
    temporary.take([...old, ...young]);
    expect(await examine([...old, ...young])).toEqual({ classes: { open: 6 }, gone: 0, pruned: 0 });
    expect(await examine([...old.slice(1), ...young.slice(1)])).toEqual({ classes: { open: 4 }, gone: 1, pruned: 1 });
    expect(await examine(young)).toEqual({ classes: { open: 3 }, gone: 0, pruned: 3 });
  });

  it('is not gone where it was written after the table was read, or is seen a moment after it was streamed', async () => {
    const [first, later] = [turns(3, 0), turns(3, minute)];
    temporary.take([...first, ...later]);
    const shown = [first, [...first, ...later]];
    const keysOf = () => (shown.length > 1 ? shown.shift()! : shown[0]!);
    expect(await examine(first, { table: { keysOf, oldestHour: -1 } })).toEqual({
      classes: { open: 3 },
      gone: 0,
      pruned: 0,
    });
  });

  it('is gone though another row of its hour came meanwhile', async () => {
    const [first, second, deleted, fresh] = turns(4, 0) as [Turn, Turn, Turn, Turn];
    temporary.take([first, second, deleted]);
    const hasPassed = async () => {
      temporary.take([fresh]);
      return true;
    };
    const seen = await examine([first, second, fresh], { hasPassed, table: { oldestHour: -1 } });
    expect(seen).toEqual({ classes: { open: 3 }, gone: 1, pruned: 0 });
  });

  it('is where it first went when its key came once more and was let go as a duplicate', async () => {
    const rows = turns(4, 0);
    const again = rows.map((row) => ({ ...log.turn({ at: 2 * hour }), rowKey: row.rowKey, createdAt: row.createdAt }));
    temporary.take([...rows, watermark(hour)]);
    temporary.take([...again, watermark(3 * hour)]);
    expect(temporary.journal.totals().released).toEqual({ duplicate: 1 });
    expect((await examine(rows)).classes).toEqual({ on_the_way: 4 });
  });

  it('is where it is though a rule leaves such rows out by now', async () => {
    const rows = turns(3, 0);
    temporary.take(rows.slice(1));
    expect((await examine(rows, { table: { excludedTool: 'search' } })).classes).toEqual({ excluded: 1, open: 2 });
  });

  it('is altered where its text or its time was changed', async () => {
    const [first, rows] = [turns(1, 0, 'u'), turns(4, 5 * hour)];
    temporary.take([...first, ...rows]);
    const [a, b, ...rest] = rows as [Turn, Turn, ...Turn[]];
    const moved = { ...b, createdAt: '2026-01-07 03:00:00+00' };
    const seen = await examine([{ ...a, response: 'another' }, moved, ...rest], { table: { oldestHour: -1 } });
    expect(seen).toEqual({ classes: { altered: 2, open: 2 }, gone: 1, pruned: 0 });
  });

  it('is not compared by a digest of another key, and by no digest of a row without one', async () => {
    const rows = turns(3, 0);
    temporary.take(rows);
    const other = createDigester('another key for tests');
    const view = new LedgerView(temporary.journal.ledger, false);
    expect((await examine(rows, { view, digester: other })).classes).toEqual({ open: 3 });
  });
});

describe('hours that are read again', () => {
  it('come together where they are neighbours and an index finds them', () => {
    const hours = new Set([7, 5, 6, 9]);
    const within = { since: 0, until: 10 };
    expect(spansOf(hours, true, within)).toEqual([
      { since: 5, until: 8 },
      { since: 9, until: 10 },
    ]);
    expect(spansOf(hours, false, within)).toEqual([within]);
    expect(spansOf(new Set([5, null]), true, within)).toEqual([within]);
  });
});
