/** Names made from contents. */
import { createHash } from 'node:crypto';

/**
 * SHA-256 hex over the parts, in order. Each part is preceded by its length, so that no two lists of parts are the same
 * bytes; null differs from the empty text.
 */
export function digestOf(...parts: readonly (string | null)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(part === null ? '-;' : `${Buffer.byteLength(part)};`);
    if (part !== null) hash.update(part);
  }
  return hash.digest('hex');
}
