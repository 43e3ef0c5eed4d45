/** The call store's words for what its server refuses. */
import type { StoreWords } from './postgres-store-faults.ts';

export const callStoreWords: StoreWords = {
  name: 'call store',
  code: 'calls',
  setting: 'calls.url (TC_CALLS_URL)',
  rights: 'SELECT, INSERT, UPDATE',
  loss: 'answers are then asked for again',
};
