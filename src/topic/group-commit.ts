/**
 * One fsync for many: changes asked for in one turn of the event loop are committed together, and fsynced only where one
 * of them has to outlive a power cut. Without, a power cut may take back the last commits, all from some point on.
 */
import { explainSqlite, type SqliteDatabase } from '../sqlite.ts';

interface Waiting {
  change: () => void;
  durable: boolean;
  reject: (error: unknown) => void;
  resolve: () => void;
}

export class GroupCommit {
  readonly #run: (changes: Waiting[]) => void;
  /** A SQLite error in an operator's words. */
  readonly explain: (error: unknown) => unknown;
  readonly #sync: (mode: 'full' | 'normal') => void;
  #waiting: Waiting[] = [];

  constructor(db: SqliteDatabase, what: string, path: string) {
    // Immediate: the read that a change begins with must not see a state that another process is about to replace.
    const transaction = db.transaction((changes: Waiting[]) => {
      for (const { change } of changes) change();
    });
    this.#sync = (mode) => void db.pragma(`synchronous = ${mode}`);
    this.#run = (changes) => transaction.immediate(changes);
    this.explain = (error) => explainSqlite(error, what, path);
  }

  /**
   * Resolves with what `change` returned once it is committed and, where `durable`, on disk. All changes of one commit
   * fail together.
   *
   * @throws OperatorError as {@link explainSqlite} words it.
   */
  submit<R>(change: () => R, { durable }: { durable: boolean }): Promise<R> {
    return new Promise((resolve, reject) => {
      let result: R;
      if (this.#waiting.length === 0) setImmediate(() => this.#flush());
      this.#waiting.push({
        change: () => {
          result = change();
        },
        durable,
        reject,
        resolve: () => resolve(result),
      });
    });
  }

  #flush(): void {
    const changes = this.#waiting;
    this.#waiting = [];
    try {
      this.#sync(changes.some(({ durable }) => durable) ? 'full' : 'normal');
      this.#run(changes);
    } catch (error) {
      const explained = this.explain(error);
      for (const { reject } of changes) reject(explained);
      return;
    }
    for (const { resolve } of changes) resolve();
  }
}
