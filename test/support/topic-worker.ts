/**
 * A process of its own that consumes the topic `parcels` of a file: one line on stdout for each delivery begun
 * (`took a-1 1`) and done (`did a-1`). With `hold` it begins and never ends.
 */
import { z } from 'zod';
import { createLogger } from '../../src/log.ts';
import { jsonCodec } from '../../src/topic/codec.ts';
import { openEmbeddedTopic } from '../../src/topic/embedded.ts';

const [path = '', group = '', mode = '', leaseMs = '300'] = process.argv.slice(2);
const topic = openEmbeddedTopic({
  path,
  name: 'parcels',
  codec: jsonCodec(z.object({ spec: z.literal('parcel/1'), n: z.int() }), 'parcel/1'),
  log: createLogger('silent'),
  leaseMs: Number(leaseMs),
});
const drain = new AbortController();
process.on('SIGTERM', () => drain.abort());
await topic.consume(
  group,
  async ({ message, attempt }) => {
    process.stdout.write(`took ${message.id} ${attempt}\n`);
    if (mode === 'hold') await new Promise(() => {});
    process.stdout.write(`did ${message.id}\n`);
  },
  { concurrency: 2, signal: drain.signal },
);
await topic.close();
