/**
 * Keyed digests of rows. What is stored of a row may be redacted; its digest still shows, to whoever has the key and the
 * table, that the row was taken in and has not been changed since.
 */
import type { Turn } from './records.ts';

export interface RowDigester {
  /** `KEYID:DIGEST`: which key, then 128 bits of HMAC-SHA-256 over the row's text, base64url. */
  digestOf(turn: Turn): string;
}
