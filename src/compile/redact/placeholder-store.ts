/** Which value of a session has which number, so that one value keeps one placeholder in every part of it. */
import type { Kind } from './kinds.ts';

export interface SessionName {
  source: string;
  sessionId: string;
}

export interface NamedValue {
  kind: Kind;
  /** 128 bits of HMAC-SHA-256 of the normalised value under the installation's key, hex: the value is not stored. */
  hash: string;
  /** The value under AES-256-GCM, where a vault is kept and the kind is no secret; else null. */
  sealed: Buffer | null;
}

export interface Numbered {
  /** That of the first time: what is taken for another kind in a later part keeps its placeholder. */
  kind: Kind;
  number: number;
}

export interface SealedValue extends Numbered {
  hash: string;
  sealed: Buffer;
}

/** SQLite on one host (`placeholders.sqlite`), Postgres where `calls.url` is shared by several. */
export interface PlaceholderStore {
  /**
   * Numbers from 1 up within session and kind, one for each value in the order given: known values keep theirs, others
   * get the next ones. Durable when it resolves; two workers that ask at once get the same numbers.
   */
  number(session: SessionName, values: readonly NamedValue[]): Promise<Numbered[]>;
  /** What the vault holds of a session. */
  sealed(session: SessionName): Promise<SealedValue[]>;
  /** The sources that have a session of this id. */
  sources(sessionId: string): Promise<string[]>;
  close(): Promise<void>;
}
