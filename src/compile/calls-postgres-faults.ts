/** The call store's words for what its server refuses. */
import type { OperatorError } from '../errors.ts';
import { explainStore, refuseOtherUrls as refuseUrls, type StoreWords } from './postgres-store-faults.ts';

export const callStoreWords: StoreWords = {
  name: 'call store',
  code: 'calls',
  setting: 'calls.url (TC_CALLS_URL)',
  rights: 'SELECT, INSERT, UPDATE',
  loss: 'answers are then asked for again',
};

/** @throws OperatorError `calls_url`. */
export function refuseOtherUrls(url: string): void {
  refuseUrls(url, callStoreWords);
}

/** `calls_unreachable` concerns every message alike, `calls_failed` perhaps this one alone. */
export function explainCalls(error: unknown, url: string, doing: string): OperatorError {
  return explainStore(error, { url, doing, words: callStoreWords });
}
