import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { createLogger } from '../../src/log.ts';
import { jsonCodec } from '../../src/topic/codec.ts';
import { openEmbeddedTopic } from '../../src/topic/embedded.ts';
import { topicContract } from './contract.ts';

const codec = jsonCodec(z.object({ spec: z.literal('parcel/1'), n: z.int() }), 'parcel/1');

topicContract('the embedded topic', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'topic-'));
  return {
    durable: true,
    open: async () =>
      openEmbeddedTopic({
        path: join(folder, 'topics.sqlite'),
        name: 'parcels',
        codec,
        log: createLogger('silent'),
        maxAttempts: 3,
        backoff: { baseMs: 1, maxMs: 5 },
      }),
    dispose: async () => rmSync(folder, { recursive: true }),
  };
});
