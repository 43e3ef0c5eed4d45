/**
 * What a log promises and may break while it is streamed: rows are only ever appended, all of them reach the WAL, and the
 * publication has the table all the time. Every breach is said as what it is, and counted; none stops the stream.
 */
import type pg from 'pg';
import type { Logger } from '../log.ts';
import type { AuditTable } from '../postgres/audit-table.ts';
import type { Lsn } from '../records.ts';
import { hasEarlierRows, type Leaf, readLeaves } from './leaves.ts';
import { shortLsn } from './lsn.ts';
import { tamperedSince } from './tamper.ts';

/** Since this start. */
export interface Breaches {
  truncates: number;
  updates: number;
  deletes: number;
  /** Partitions that had rows in them when they were attached. */
  attached: number;
  /** Tables of the log whose rows never reach the WAL. */
  unlogged: number;
  /** Times the publication, or the table in it, was another one than before. */
  republished: number;
}

export class LogWatch {
  readonly #pool: pg.Pool;
  readonly #table: AuditTable;
  readonly #names: { slot: string; publication: string };
  readonly #log: Logger;
  readonly #breaches: Breaches = { truncates: 0, updates: 0, deletes: 0, attached: 0, unlogged: 0, republished: 0 };
  #leaves: Leaf[] | null = null;
  #seen: string | null = null;
  readonly #lookedAt = new Set<string>();
  #unlogged = new Set<string>();
  #published: string | null = null;

  constructor(pool: pg.Pool, table: AuditTable, names: { slot: string; publication: string }, log: Logger) {
    this.#pool = pool;
    this.#table = table;
    this.#names = names;
    this.#log = log;
  }

  get breaches(): Breaches {
    return { ...this.#breaches };
  }

  truncated(lsn: Lsn): void {
    this.#breaches.truncates += 1;
    this.#sayNotAppendOnly(`truncated at about ${shortLsn(lsn)}`);
  }

  async poll(): Promise<void> {
    await this.#watchPublication();
    const { leaves, seen } = await readLeaves(this.#pool, this.#table, { slot: this.#names.slot, since: this.#seen });
    this.#watchTampering(leaves);
    this.#watchLogging(leaves);
    for (const leaf of leaves) await this.#watchJoining(leaf);
    // Only now: one that could not be looked at is looked at again.
    this.#seen = seen;
  }

  #watchTampering(leaves: Leaf[]): void {
    const { updated, deleted } = tamperedSince(this.#leaves ?? leaves, leaves);
    this.#leaves = leaves;
    if (updated + deleted === 0) return;
    this.#breaches.updates += updated;
    this.#breaches.deletes += deleted;
    this.#sayNotAppendOnly(`${updated} rows updated, ${deleted} deleted`);
  }

  #watchLogging(leaves: Leaf[]): void {
    const unlogged = leaves.filter((leaf) => leaf.unlogged !== null);
    for (const { oid, name, unlogged: why } of unlogged) {
      if (this.#unlogged.has(oid)) continue;
      const remedy = why === 'unlogged' ? `ALTER TABLE ${name} SET LOGGED, then backfill --since` : 'backfill --since';
      this.#log.warn(
        { code: 'source_unlogged' },
        `${name}, a part of ${this.#name}, is ${why}: its rows never reach the WAL and are not in the stream: ${remedy} takes them in by their time`,
      );
    }
    this.#unlogged = new Set(unlogged.map(({ oid }) => oid));
    this.#breaches.unlogged = unlogged.length;
  }

  async #watchJoining(leaf: Leaf): Promise<void> {
    const { oid, name, bounds, lately } = leaf;
    if (!lately || this.#lookedAt.has(oid)) return;
    const filled = await hasEarlierRows(this.#pool, leaf);
    this.#lookedAt.add(oid);
    if (!filled) return;
    this.#breaches.attached += 1;
    this.#log.warn(
      { code: 'partition_attached' },
      `partition ${name} (${bounds}) was attached to ${this.#name} with rows in it, which are not in the stream: backfill --since takes them in by their time`,
    );
  }

  /** A table that leaves the publication and comes back leaves a gap that no version of the server reports. */
  async #watchPublication(): Promise<void> {
    const { publication } = this.#names;
    const { rows } = await this.#pool.query(
      `SELECT p.oid || '/' || coalesce(r.oid, 0) AS mark FROM pg_publication p
         LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = $2::oid WHERE p.pubname = $1`,
      [publication, String(this.#table.oid)],
    );
    const mark = (rows[0]?.mark as string | undefined) ?? null;
    const before = this.#published;
    // Without one the stream ends anyway.
    if (mark === null) return;
    this.#published = mark;
    if (before === null || before === mark) return;
    this.#breaches.republished += 1;
    this.#log.warn(
      { code: 'publication_replaced' },
      `publication ${publication}, or ${this.#name} in it, was taken away and put in place anew: rows inserted in between are not in the stream: backfill --since takes them in by their time`,
    );
  }

  get #name(): string {
    return `${this.#table.schema}.${this.#table.name}`;
  }

  #sayNotAppendOnly(what: string): void {
    this.#log.warn(
      { code: 'not_append_only' },
      `${this.#name} is not append-only: ${what}; what was taken in before stays as it was`,
    );
  }
}
