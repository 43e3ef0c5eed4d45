/**
 * A process of its own that consumes the parcels of a prefix as group `g`: a line on stdout for each delivery begun (`took a-1 1`),
 * done (`did a-1`) and given up (`lost a-1`). It holds the keys that begin with `hold` until SIGUSR2, or for ever.
 */
import { clusterAt, openParcels } from './kafka-pipe.ts';

const [brokers = '', prefix = '', partitions = '', sessionTimeoutMs = ''] = process.argv.slice(2);
const cluster = clusterAt(brokers.split(','));
const topic = await openParcels(cluster, {
  prefix,
  sessionTimeoutMs: Number(sessionTimeoutMs),
  partitions: Number(partitions),
});
const drain = new AbortController();
const released = new Promise<void>((resolve) => process.once('SIGUSR2', () => resolve()));
process.on('SIGTERM', () => drain.abort());
await topic.consume(
  'g',
  async ({ message, attempt, signal }) => {
    process.stdout.write(`took ${message.id} ${attempt}\n`);
    signal.addEventListener('abort', () => process.stdout.write(`lost ${message.id}\n`));
    if (message.key.startsWith('hold')) await released;
    if (!signal.aborted) process.stdout.write(`did ${message.id}\n`);
  },
  { concurrency: 16, signal: drain.signal },
);
await topic.close();
await cluster.close();
