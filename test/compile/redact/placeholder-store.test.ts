import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlaceholderStore } from '../../../src/compile/redact/placeholder-store.ts';
import { openPlaceholderStore } from '../../../src/compile/redact/placeholders-sqlite.ts';
import { placeholderStoreContract } from './placeholder-store-contract.ts';

placeholderStoreContract('the SQLite store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tc-placeholders-'));
  const opened: PlaceholderStore[] = [];
  return {
    open: async () => {
      const store = openPlaceholderStore(join(folder, 'placeholders.sqlite'));
      opened.push(store);
      return store;
    },
    dispose: async () => {
      for (const store of opened) await store.close();
      rmSync(folder, { recursive: true });
    },
  };
});
