/** The embedded topic with the disk taken away: same order, leases and dead letters, nothing left behind. */
import { createLogger } from '../../src/log.ts';
import { type EmbeddedTopic, type EmbeddedTopicOptions, openEmbeddedTopic } from '../../src/topic/embedded.ts';

export type MemoryTopicOptions<T> = Omit<EmbeddedTopicOptions<T>, 'path' | 'log'>;

export function openMemoryTopic<T>(options: MemoryTopicOptions<T>): EmbeddedTopic<T> {
  return openEmbeddedTopic({
    backoff: { baseMs: 1, maxMs: 5 },
    ...options,
    path: ':memory:',
    log: createLogger('silent'),
  });
}
