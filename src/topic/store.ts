/** One topic's part of the file: every statement of the embedded topic. Changes run inside a transaction of the caller. */
import type { SqliteDatabase } from '../sqlite.ts';
import { killsItsConsumer, maxUnfinishedDeliveries } from './decide.ts';
import { prepare, type Statements } from './statements.ts';
import type { DeadLetter, Lag, ShownDeadLetter } from './topic.ts';

/** A delivery in the hands of `owner`. `attempts` is what tells this claim from a later one of the same delivery. */
export interface Claim {
  place: number;
  owner: string;
  attempts: number;
  failures: number;
  id: string;
  key: string;
  value: Uint8Array;
}

interface Published {
  id: string;
  key: string;
  lane?: string;
  value: Uint8Array;
}

interface Deliverable {
  seq: number;
  key: string;
  lane: string | null;
  published: number;
}

interface Row {
  place: number;
  group_number: number;
  seq: number;
  key: string;
  attempts: number;
  failures: number;
}

export class TopicStore {
  readonly #db: SqliteDatabase;
  readonly #topic: number;
  readonly #statements: Statements;

  constructor(db: SqliteDatabase, name: string) {
    this.#db = db;
    this.#topic = numberOf(db, name);
    this.#statements = prepare(db);
  }

  /** False where the id was published before, finished or not. */
  publish(message: Published, now: number): boolean {
    const { finished, insert, groups, deliver } = this.#statements;
    if (finished.get(this.#topic, message.id) !== undefined) return false;
    const { id, key, lane = null, value } = message;
    const added = insert.run(this.#topic, id, key, lane, value, now);
    if (added.changes === 0) return false;
    for (const group of groups.all(this.#topic) as number[]) {
      deliver.run({ group, seq: added.lastInsertRowid, key, lane, published: now });
    }
    return true;
  }

  groupNames(): string[] {
    return this.#db
      .prepare('SELECT name FROM groups WHERE topic = ? ORDER BY name')
      .pluck()
      .all(this.#topic) as string[];
  }

  groupNumber(name: string): number | undefined {
    return this.#statements.group.get(this.#topic, name) as number | undefined;
  }

  /** A group that is new starts from the oldest message that is kept. */
  register(name: string): number {
    const known = this.groupNumber(name);
    if (known !== undefined) return known;
    const { addGroup, kept, deliver } = this.#statements;
    const group = Number(addGroup.run(this.#topic, name).lastInsertRowid);
    for (const message of kept.all(this.#topic) as Deliverable[]) deliver.run({ group, ...message });
    return group;
  }

  /** A group that is given up holds nothing back any longer. Returns the ids that are finished by it. */
  drop(name: string): string[] {
    const group = this.groupNumber(name);
    if (group === undefined) return [];
    const seqs = this.#db
      .prepare(
        'SELECT seq FROM deliveries WHERE group_number = ? UNION SELECT seq FROM dead_letters WHERE group_number = ?',
      )
      .pluck()
      .all(group, group) as number[];
    for (const table of ['deliveries', 'dead_letters']) {
      this.#db.prepare(`DELETE FROM ${table} WHERE group_number = ?`).run(group);
    }
    this.#db.prepare('DELETE FROM groups WHERE number = ?').run(group);
    return seqs.flatMap((seq) => this.#retireIfDone(seq));
  }

  /** A look without a lock: whether a claim would find anything, and when the next delivery falls due. */
  due(group: number, owner: string, now: number): { any: boolean; nextAt: number | null } {
    const any = this.#statements.anyDue.get(group, now, owner) !== undefined;
    return { any, nextAt: any ? null : (this.#statements.nextDue.get(group, now, owner) as number | null) };
  }

  /** Takes up to `limit` heads whose time has come; what took too many consumers down is parked instead. */
  claim(group: number, owner: string, limit: number, now: number, leaseMs: number): Claim[] {
    const claims: Claim[] = [];
    let turn = 0;
    for (const row of this.#statements.heads.all(group, now, owner, limit) as (Row & {
      id: string;
      turn: number;
      value: Uint8Array;
    })[]) {
      turn = Math.max(turn, row.turn);
      if (killsItsConsumer(row)) {
        const error = `was delivered ${maxUnfinishedDeliveries} times without an outcome: its consumer may be dying of it`;
        this.#bury(row, 'consumer_died', error, now);
        continue;
      }
      this.#statements.take.run(owner, now + leaseMs, row.place);
      const { place, failures, id, key, value } = row;
      claims.push({ place, owner, attempts: row.attempts + 1, failures, id, key, value });
    }
    if (turn > 0) this.#statements.advance.run(turn, group);
    return claims;
  }

  /** Ends the leases of owners that are gone, which would otherwise hold up a restart until they ran out. */
  releaseFrom(group: number, isGone: (owner: string) => boolean): void {
    for (const owner of this.#statements.owners.all(group) as string[]) {
      if (isGone(owner)) this.#statements.expire.run(group, owner);
    }
  }

  /** False where the lease was lost. */
  renew(claim: Claim, until: number): boolean {
    return this.#statements.renew.run(until, claim.place, claim.owner, claim.attempts).changes === 1;
  }

  /** Ids that every group has finished now; null where the lease was lost. */
  finish(claim: Claim): string[] | null {
    const row = this.#owned(claim);
    if (row === undefined) return null;
    this.#remove(row);
    return this.#retireIfDone(row.seq);
  }

  retryAt(claim: Claim, dueAt: number): boolean {
    return this.#statements.postpone.run(dueAt, claim.place, claim.owner, claim.attempts).changes === 1;
  }

  /** As if it had never been delivered. */
  release(claim: Claim): boolean {
    return this.#statements.release.run(claim.place, claim.owner, claim.attempts).changes === 1;
  }

  park(claim: Claim, code: string, error: string, now: number): boolean {
    const row = this.#owned(claim);
    if (row === undefined) return false;
    this.#bury(row, code, error, now);
    return true;
  }

  deadLetters(group: string): DeadLetter[] {
    const rows = this.#statements.dead.all(this.groupNumber(group) ?? -1) as Omit<DeadLetter, 'group'>[];
    return rows.map((row) => ({ group, ...row }));
  }

  deadLetter(group: string, id: string): ShownDeadLetter | null {
    const letter = this.deadLetters(group).find((one) => one.id === id);
    if (letter === undefined) return null;
    return { letter, bytes: this.#statements.value.get(this.#topic, id) as Uint8Array };
  }

  requeue(groupName: string, id: string): boolean {
    const group = this.groupNumber(groupName);
    if (group === undefined) return false;
    const { deadOne, exhume, deliver } = this.#statements;
    const letter = deadOne.get(group, this.#topic, id) as Deliverable | undefined;
    if (letter === undefined) return false;
    exhume.run(group, letter.seq);
    deliver.run({ group, ...letter });
    return true;
  }

  lag(groupName: string, now: number): Lag {
    const group = this.groupNumber(groupName);
    const row = (
      group === undefined ? this.#statements.lagOfAll.get(this.#topic) : this.#statements.lag.get({ group, now })
    ) as { messages: number; inWork: number; oldest: number | null };
    const oldestAgeMs = row.oldest === null ? null : Math.max(0, now - row.oldest);
    const deadLetters = group === undefined ? 0 : (this.#statements.countDead.get(group) as number);
    return { messages: row.messages, inWork: row.inWork, oldestAgeMs, deadLetters };
  }

  finishedAmong(ids: readonly string[]): string[] {
    return this.#statements.finishedAmong.all(this.#topic, JSON.stringify(ids)) as string[];
  }

  #owned({ place, owner, attempts }: Claim): Row | undefined {
    return this.#statements.owned.get(place, owner, attempts) as Row | undefined;
  }

  #bury(row: Row, code: string, error: string, now: number): void {
    this.#remove(row);
    const parkedAt = new Date(now).toISOString();
    this.#statements.bury.run(row.group_number, row.seq, row.attempts, code, error, parkedAt);
  }

  #remove(row: Row): void {
    this.#statements.remove.run(row.place);
    this.#statements.promote.run(row.group_number, row.key);
  }

  #retireIfDone(seq: number): string[] {
    const { unfinished, retire, remember } = this.#statements;
    if (unfinished.get(seq, seq) !== undefined) return [];
    const id = retire.get(seq) as string;
    remember.run(this.#topic, id);
    return [id];
  }
}

function numberOf(db: SqliteDatabase, name: string): number {
  db.prepare('INSERT INTO topics (name) VALUES (?) ON CONFLICT DO NOTHING').run(name);
  return db.prepare('SELECT number FROM topics WHERE name = ?').pluck().get(name) as number;
}
