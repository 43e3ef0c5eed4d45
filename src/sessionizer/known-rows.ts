/** The rows of one bucket of the ledger, to be looked up by key and digest. */
import { KeySet } from './key-set.ts';

export type Sighting =
  | 'unknown'
  | 'known'
  /** The key is known, and only with other digests than this one. */
  | 'other';

export class KnownRows {
  /** The last row of the ledger's table that is in here. */
  upTo = 0;
  readonly #keys = new KeySet();
  /** Of rows without a digest: nothing says whether they read as they did. */
  readonly #undigested = new KeySet();
  /** Key and digest in one: both are hashes, so their XOR is one. */
  readonly #digested = new KeySet();

  get bytes(): number {
    return this.#keys.bytes + this.#undigested.bytes + this.#digested.bytes;
  }

  /** Numbers of 64 bits are two words, the lower one first. A digest of zero is none. */
  add(keyLow: number, keyHigh: number, digestLow: number, digestHigh: number): void {
    this.#keys.add(keyLow, keyHigh);
    if (digestLow === 0 && digestHigh === 0) this.#undigested.add(keyLow, keyHigh);
    else this.#digested.add((keyLow ^ digestLow) >>> 0, (keyHigh ^ digestHigh) >>> 0);
  }

  sight(keyLow: number, keyHigh: number, digestLow: number, digestHigh: number): Sighting {
    if (!this.#keys.has(keyLow, keyHigh)) return 'unknown';
    if (digestLow === 0 && digestHigh === 0) return 'known';
    if (this.#undigested.has(keyLow, keyHigh)) return 'known';
    const same = this.#digested.has((keyLow ^ digestLow) >>> 0, (keyHigh ^ digestHigh) >>> 0);
    return same ? 'known' : 'other';
  }
}
