/** Rows of a journal from before there was a ledger: those whose text is still in the file are entered, others counted. */
import type { SqliteDatabase } from '../sqlite.ts';
import { unpackOrder } from './chunk.ts';
import { addToCounter, type CaptureFacts, noCapture, readCounter, readFact, writeFact } from './journal-facts.ts';
import type { LedgerGap } from './ledger.ts';
import { LedgerWriter } from './ledger-write.ts';

const chunksAtOnce = 512;

export function enterOldRows(db: SqliteDatabase): void {
  const writer = new LedgerWriter(db);
  const chunks = db.prepare('SELECT id, part_id AS partId, heads FROM chunks WHERE id > ? ORDER BY id LIMIT ?');
  for (let after = 0; ; ) {
    const some = chunks.all(after, chunksAtOnce) as { id: number; partId: number; heads: string }[];
    for (const { partId, heads } of some) for (const key of unpackOrder(heads)) writer.add(key, partId, undefined);
    const last = some.at(-1);
    if (last === undefined) break;
    after = last.id;
  }
  const sealed = db.prepare('SELECT part_id AS partId, turns, trajectory_id AS trajectoryId FROM sealed').all();
  for (const { partId, turns, trajectoryId } of sealed as { partId: number; turns: number; trajectoryId: string }[]) {
    writer.ended(partId, turns, { kind: 'sealed', trajectoryId });
  }
  const sessions = db.prepare('SELECT session_id FROM sessions').pluck().iterate();
  for (const sessionId of sessions as IterableIterator<string>) writer.session(sessionId);
  const entered = writer.finish();
  addToCounter(db, 'ledger_rows', '', entered.rows);
  addToCounter(db, 'ledger_bytes', '', entered.bytes);
  const rows = readCounter(db, 'rows') - entered.rows;
  if (rows === 0) return;
  const { lastPosition, watermark } = readFact<CaptureFacts>(db, 'capture') ?? noCapture;
  writeFact(db, 'ledger_gap', { rows, lastPosition, watermark } satisfies LedgerGap);
}
