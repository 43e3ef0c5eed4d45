/** Looks at the slot and at the journal again and again: what was confirmed must be stored, at every moment. */
import { join } from 'node:path';
import pg from 'pg';
import { pause } from '../../src/lifecycle.ts';
import { parseLsn } from '../../src/stream/lsn.ts';
import { reading, storedPosition } from './capture-evidence.ts';
import type { Sample } from './capture-history.ts';

const everyMs = 20;

export class Sampler {
  readonly samples: Sample[] = [];
  /** What is going on, for whoever reads of a violation. */
  during = 'the start';
  readonly #url: string;
  readonly #slot: string;
  readonly #journal: string;
  /** Where the slot began, which counts as stored. */
  readonly #began: string;
  #client: pg.Client | null = null;

  constructor({ url, slot, dataDir, began }: { url: string; slot: string; dataDir: string; began: string }) {
    this.#url = url;
    this.#slot = slot;
    this.#journal = join(dataDir, 'journal.sqlite');
    this.#began = began;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.take();
      await pause(everyMs, signal);
    }
    await this.#client?.end().catch(() => {});
  }

  /** The slot first: what is stored while we look must not hide what was confirmed too early. */
  async take(): Promise<void> {
    const confirmed = await this.#confirmed();
    const stored = this.stored();
    if (confirmed !== null && stored !== null) this.samples.push({ confirmed, stored, during: this.during });
  }

  /** Null where the journal can't be read just now. */
  stored(): string | null {
    try {
      return reading(this.#journal, storedPosition) ?? this.#began;
    } catch (error) {
      return (error as { code?: string }).code === 'SQLITE_CANTOPEN' ? this.#began : null;
    }
  }

  /** Null while the server is away. */
  async #confirmed(): Promise<string | null> {
    try {
      this.#client ??= await connected(this.#url);
      const sql = 'SELECT confirmed_flush_lsn AS lsn FROM pg_replication_slots WHERE slot_name = $1';
      const { rows } = await this.#client.query(sql, [this.#slot]);
      return parseLsn(rows[0].lsn);
    } catch {
      await this.#client?.end().catch(() => {});
      this.#client = null;
      return null;
    }
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  await client.connect();
  return client;
}
