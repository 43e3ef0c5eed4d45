/** A journal in a folder of its own, that can be closed and opened again as a restart does. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch, Change, Turn } from '../../src/records.ts';
import type { RowDigester } from '../../src/row-digest.ts';
import { type Journal, openJournal } from '../../src/sessionizer/journal.ts';
import { type SessionRules, sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import { batchOf, rules as logRules } from './log.ts';

export class TemporaryJournal {
  readonly path: string;
  journal: Journal;
  readonly #dir: string;
  readonly #options: { source: string; rules: SessionRules; digester?: RowDigester };

  constructor({ rules = logRules, digester }: { rules?: SessionRules; digester?: RowDigester } = {}) {
    this.#dir = mkdtempSync(join(tmpdir(), 'journal-'));
    this.path = join(this.#dir, 'journal.sqlite');
    this.#options = { source: 'test', rules, ...(digester === undefined ? {} : { digester }) };
    this.journal = openJournal(this.path, this.#options);
  }

  restart(): void {
    this.journal.close();
    this.journal = openJournal(this.path, this.#options);
  }

  /** Watermarks alone leave the position where it is. */
  take(changes: (Change | Turn)[], more: Partial<Batch> = {}): Batch {
    const { journal } = this;
    const streamed = changes.some((change) => !('kind' in change)) && more.injected === undefined;
    const progress = streamed || journal.progress === null ? {} : { progress: journal.progress };
    const batch = batchOf(changes, { ...progress, ...more });
    const known = journal.recall(batch.sessionIds, watermarkOf(batch));
    journal.commit(sessionize(known, batch, this.#options.rules), batch);
    return batch;
  }

  /** Published, finished and forgotten, as far as it is sealed. */
  finishAll(): string[] {
    const ids = this.journal.outbox.pending(10_000).map(({ trajectoryId }) => trajectoryId);
    this.journal.outbox.published(ids);
    this.journal.outbox.forget(ids);
    return ids;
  }

  remove(): void {
    this.journal.close();
    rmSync(this.#dir, { recursive: true });
  }
}
