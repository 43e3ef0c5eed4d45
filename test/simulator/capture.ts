/**
 * The capture with sockets and disk taken away: assembler, sessionizer and the lookup of rows that are known are the real
 * ones. It checks at every step what must hold at every moment.
 */

import { withoutTaken } from '../../src/injecting.ts';
import { mapColumns } from '../../src/postgres/audit-table.ts';
import type { Batch, Micros, Position, Progress, Turn } from '../../src/records.ts';
import { sessionize } from '../../src/sessionizer/sessionize.ts';
import { Assembler } from '../../src/stream/assembler.ts';
import { later } from '../../src/stream/lsn.ts';
import { Durable, rules } from './durable.ts';
import {
  columnNames,
  createdText,
  lsnNumber,
  lsnText,
  type Row,
  type Server,
  slack,
  textOf,
  Walsender,
} from './server.ts';
import { demand } from './violation.ts';

const columns = columnNames.map((name) => ({ name }));
const mapping = mapColumns(columns, { table: 't' }, 't');
const historyOrdinal = -1_000_000;

/** Rows of the table as batches beside the stream, read under a snapshot. */
interface Reading {
  since: Micros | null;
  rows: Row[];
  taken: number;
  seenBefore: number;
  snapshotAt: Micros;
  /** Until the stream has passed what the snapshot sees. */
  waits: boolean;
}

export type Fate = 'fine' | 'crash before the commit' | 'crash before the confirmation';

/** A signal that has fired by the time that anybody waits for it: `take` answers at once. */
const now = {
  aborted: false,
  addEventListener: (_: string, fire: () => void) => {
    now.aborted = true;
    fire();
  },
  removeEventListener: () => {},
};

export class Capture {
  readonly durable = new Durable();
  readonly server: Server;
  readonly from: 'now' | 'beginning';
  /** Sessions that rows were injected into: where they fall depends on when. */
  readonly injectedInto = new Set<string>();
  /** What the boundaries of history depend on; null where there was none. */
  historyRead: Reading | null = null;
  #assembler: Assembler | null = null;
  #walsender: Walsender | null = null;
  #history: Reading | null = null;
  #injection: Reading | null = null;

  constructor(server: Server, from: 'now' | 'beginning') {
    this.server = server;
    this.from = from;
    server.confirmed = server.lsn;
    this.start();
  }

  /** A process begins, with what is durable. */
  start(): void {
    const { durable, server } = this;
    durable.dropHistory();
    this.#assembler = null;
    this.#walsender = null;
    this.#history = null;
    this.#injection = null;
    if (durable.progress === null && this.from === 'beginning') {
      this.#history = this.#read(null);
    } else {
      this.#stream(durable.progress ?? { resumeLsn: lsnText(server.confirmed) as never, partial: null });
    }
    // Before the stream, which brings once more what of these rows it had still to bring.
    if (durable.injecting !== null) this.#injection = this.#read(durable.injecting.since);
  }

  #stream(start: Progress): void {
    this.#assembler = new Assembler({
      mapping,
      start,
      slack,
      batchRows: 3,
      batchMs: 0,
      maxBufferBytes: 1e9,
      idleAdvanceMs: 0,
    });
    this.connect(0);
  }

  connect(rewind: number): void {
    if (this.#assembler === null) return;
    const start = this.#assembler.received.resumeLsn;
    demand(lsnNumber(start) >= this.server.confirmed, 'the server has forgotten nothing that is to be read again');
    this.#assembler.reconnected();
    this.#walsender = new Walsender(this.server, start, rewind);
  }

  receive(messages: number): void {
    for (let i = 0; i < messages; i++) {
      const message = this.#walsender?.next() ?? null;
      if (message === null) return;
      this.#assembler!.message(message);
    }
  }

  keepalive(urgent: boolean): void {
    if (this.#walsender !== null) this.#assembler!.keepalive(this.#walsender.sentLsn, urgent);
  }

  probe(): void {
    const { flushLsn, now: at } = this.server;
    this.#assembler?.probe({ lsn: lsnText(flushLsn), at });
  }

  /** Asks for the rows of the table that are not known, of all time or from a time on. */
  inject(since: Micros | null): void {
    if (this.#injection !== null || this.#assembler === null) return;
    this.#injection = { ...this.#read(since), waits: true };
  }

  get isReading(): boolean {
    return this.#history !== null || this.#injection !== null;
  }

  /** The next batch through the sessionizer into the journal. @returns whether there was one. */
  async take(fate: Fate): Promise<boolean> {
    const received = await this.#next();
    if (received === null) return false;
    const { durable, server } = this;
    const { batch } = withoutTaken(received, durable as never, 'leave');
    this.#checkWatermark(batch);
    const step = sessionize(durable.recall(batch), batch, rules);
    if (fate === 'crash before the commit') {
      this.start();
      return true;
    }
    if (batch.injected === true && batch.history?.state === 'done' && durable.watermark === null) {
      // As at the end of history, what was idle at the snapshot closes, whichever session it is of.
      for (const id of durable.live.keys()) this.injectedInto.add(id);
    }
    durable.commit(step, batch);
    for (const { part, appended } of step.parts) {
      if (batch.injected === true && appended.length > 0) this.injectedInto.add(part.sessionId);
    }
    if (fate === 'crash before the confirmation') {
      this.start();
      return true;
    }
    const { resumeLsn } = durable.progress!;
    this.#checkConfirmation(lsnNumber(resumeLsn));
    if (durable.history !== 'reading') server.confirmed = Math.max(server.confirmed, lsnNumber(resumeLsn));
    if (batch.history?.state === 'done' && batch.injected === undefined) this.#stream(batch.progress);
    return true;
  }

  async #next(): Promise<Batch | null> {
    if (this.#history !== null) return this.#historyBatch(this.#history);
    const injection = this.#injection;
    const resumeLsn = lsnNumber(this.durable.progress?.resumeLsn ?? lsnText(0));
    if (injection !== null && (!injection.waits || resumeLsn >= injection.seenBefore)) {
      return this.#injectedBatch(injection);
    }
    now.aborted = false;
    return await this.#assembler!.take(now as unknown as AbortSignal);
  }

  #read(since: Micros | null): Reading {
    const all = this.server.visible();
    const rows = since === null ? all : all.filter(({ createdAt }) => createdAt !== null && createdAt >= since);
    const time = (row: Row) => row.createdAt ?? Number.POSITIVE_INFINITY;
    rows.sort((a, b) => (time(a) === time(b) ? Number(a.key) - Number(b.key) : time(a) < time(b) ? -1 : 1));
    const { lsn: seenBefore, now: snapshotAt } = this.server;
    return { since, rows, taken: 0, seenBefore, snapshotAt, waits: false };
  }

  #historyBatch(reading: Reading): Batch {
    const before: Progress = { resumeLsn: lsnText(this.server.confirmed) as never, partial: null };
    if (reading.taken < reading.rows.length) return { ...this.#rowsOf(reading), progress: before };
    this.#history = null;
    this.historyRead = reading;
    const progress: Progress = { resumeLsn: lsnText(reading.seenBefore) as never, partial: null };
    return { ...emptyBatch(progress), history: { state: 'done', snapshotAt: reading.snapshotAt } };
  }

  #injectedBatch(reading: Reading): Batch {
    const { durable } = this;
    const seenBefore = lsnText(reading.seenBefore);
    durable.injecting = { since: reading.since };
    durable.knownBefore = durable.knownBefore === null ? seenBefore : later(seenBefore, durable.knownBefore);
    const progress = durable.progress!;
    if (reading.taken < reading.rows.length) {
      return { ...this.#rowsOf(reading), skipped: {}, progress, injected: true };
    }
    this.#injection = null;
    for (const { key, session } of reading.rows) {
      demand(session === null || durable.partOf.has(key), 'what was asked for is taken in');
    }
    const { snapshotAt } = reading;
    return { ...emptyBatch(progress), history: { state: 'done', snapshotAt }, injected: true };
  }

  #rowsOf(reading: Reading): Batch {
    const batch: Batch = { ...emptyBatch(this.durable.progress!), history: { state: 'reading' } };
    const position = { lsn: lsnText(reading.seenBefore), ordinal: historyOrdinal + reading.taken };
    for (const row of reading.rows.slice(reading.taken, reading.taken + 4)) {
      if (row.session === null) batch.skipped.no_session = (batch.skipped.no_session ?? 0) + 1;
      else {
        batch.changes.push({ kind: 'turn', turn: turnOfHistory(row, { ...position }) });
        batch.sessionIds.add(row.session);
      }
      position.ordinal += 1;
    }
    reading.taken += 4;
    return batch;
  }

  #checkWatermark(batch: Batch): void {
    if (batch.history !== undefined || this.server.clockSetBack) return;
    let { watermark } = this.durable;
    for (const change of batch.changes) {
      if (change.kind === 'watermark') watermark = Math.max(watermark ?? 0, change.at);
      else if (watermark !== null) {
        demand(change.turn.committedAt! >= watermark, 'a watermark passes no row that comes later');
      }
    }
  }

  #checkConfirmation(resumeLsn: number): void {
    for (let i = this.server.wal.length - 1; i >= 0; i--) {
      const { finalLsn, rows } = this.server.wal[i]!;
      if (finalLsn < this.server.confirmed) return;
      if (finalLsn >= resumeLsn) continue;
      for (const { key, session } of rows) {
        demand(session === null || this.durable.partOf.has(key), 'what may be forgotten is durable');
      }
    }
  }
}

function emptyBatch(progress: Progress): Batch {
  return { changes: [], sessionIds: new Set(), progress, skipped: {} };
}

function turnOfHistory(row: Row, position: Position): Turn {
  return {
    rowKey: row.key,
    sessionId: row.session!,
    agent: null,
    ...textOf(row),
    arguments: null,
    costUsd: null,
    durationMs: null,
    createdAt: createdText(row.createdAt),
    committedAt: null,
    position,
  };
}
