/**
 * Buckets as the ledger's table numbers them: hours from the epoch, and rows without a usable time spread over 256 numbers
 * below every hour. A log without a time column would otherwise be one bucket, to be read whole for each of its rows.
 */

/** Below the first hour that a time of Postgres can have, by far. */
const highestTimeless = -(2 ** 40);
const spread = 256;

/** For SQL: from the lowest to the highest number of those without a time. */
export const timelessBuckets: readonly [number, number] = [highestTimeless - spread + 1, highestTimeless];

/** @param keyHigh the upper word of the key's hash: the lower one finds the slot in a set. */
export function storedBucket(bucket: number | null, keyHigh: number): number {
  return bucket ?? highestTimeless - (keyHigh >>> 24);
}

/** What `storedBucket` was given. */
export function bucketStored(stored: number): number | null {
  return stored <= highestTimeless ? null : stored;
}
