import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embeddedTransport } from '../../src/transport/embedded.ts';
import { silent } from '../support/capture.ts';
import { type TransportHarness, transportContract } from './contract.ts';

async function harness(): Promise<TransportHarness> {
  const folder = mkdtempSync(join(tmpdir(), 'tc-transport-'));
  const options = { path: join(folder, 'topics.sqlite'), maxAttempts: 3, sinks: ['near', 'far'], log: silent };
  return {
    open: (assemble, releasers) => embeddedTransport({ ...options, bodies: { assemble, forget: () => {} } }, releasers),
    dispose: async () => rmSync(folder, { recursive: true }),
  };
}

transportContract('the embedded topics', harness);
