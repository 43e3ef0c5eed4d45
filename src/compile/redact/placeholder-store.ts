/** Which value of a session has which number, so that one value keeps one placeholder in every part of it. */
import type { Kind } from './kinds.ts';

export interface SessionName {
  source: string;
  sessionId: string;
}

export interface NamedValue {
  kind: Kind;
  /** HMAC-SHA-256 of kind and normalised value under the installation's key, hex: the value itself is not stored. */
  hash: string;
  /** The value under AES-256-GCM, where a vault is kept and the kind is no secret; else null. */
  sealed: Buffer | null;
}

/** SQLite on one host (`placeholders.sqlite`), Postgres where `calls.url` is shared by several. */
export interface PlaceholderStore {
  /**
   * Numbers from 1 up within session and kind, one for each value in the order given: known values keep theirs, others
   * get the next ones. Durable when it resolves; two workers that ask at once get the same numbers.
   */
  number(session: SessionName, values: readonly NamedValue[]): Promise<number[]>;
  /** What the vault holds of a session. */
  sealed(session: SessionName): Promise<{ kind: Kind; number: number; sealed: Buffer }[]>;
  close(): Promise<void>;
}
