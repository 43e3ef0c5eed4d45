/** What detectors give: where in a text something stands, and of what kind it is. */
import type { Kind } from './kinds.ts';

export interface Detection {
  kind: Kind;
  /** UTF-16 units in the text that was looked at, `to` not included. */
  from: number;
  to: number;
  /**
   * By its own form or checksum, wherever it stands. False where only its surroundings say so (a cue, the name of a key,
   * a place in a list): such a finding is no proof that a text was left unredacted.
   */
  certain: boolean;
}

/** What surrounds a text that is a value of JSON. */
export interface TextContext {
  /** Name of the member that holds it (`iban`, `customer_name`); null where there is none. */
  key: string | null;
  /** Names of the members around it, outermost first, `key` not included. */
  path: readonly string[];
}

export const noContext: TextContext = { key: null, path: [] };

/** Linear in the length of the text, whatever it holds. May overlap; whoever uses them settles that. */
export type Detect = (text: string, context: TextContext) => Detection[];
