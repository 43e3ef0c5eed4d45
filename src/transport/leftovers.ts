/** What the file of the embedded topics still holds where a cluster is to carry the messages from now on. */
import { existsSync } from 'node:fs';
import { exitCodes, stop } from '../errors.ts';
import type { Logger } from '../log.ts';
import { asBytes } from '../topic/codec.ts';
import { openEmbeddedTopic } from '../topic/embedded.ts';
import { lagsOf } from './transport.ts';

/**
 * A capture on a cluster forgets the bodies of what it has published, and messages of the embedded topics are references
 * to such bodies.
 *
 * @throws OperatorError `topics_unfinished` where some are not finished yet, or parked.
 */
export async function refuseLeftovers(path: string, log: Logger): Promise<void> {
  if (!existsSync(path)) return;
  const [waiting, parked] = await countUnfinished(path, log);
  if (waiting + parked === 0) return;
  throw stop(
    'topics_unfinished',
    `topics.transport is kafka, and ${path} still holds ${waiting} messages that wait and ${parked} that are parked: finish them with topics.transport embedded (\`run --role compile,sink --until-idle\`, \`dlq requeue\`), or move the file away to give them up`,
    { exitCode: exitCodes.configuration },
  );
}

async function countUnfinished(path: string, log: Logger): Promise<[waiting: number, parked: number]> {
  let [waiting, parked] = [0, 0];
  for (const name of ['trajectories', 'compiled']) {
    const topic = openEmbeddedTopic({ path, name, codec: asBytes, log });
    try {
      for (const { lag } of await lagsOf(topic)) {
        waiting += lag.messages;
        parked += lag.deadLetters;
      }
    } finally {
      await topic.close();
    }
  }
  return [waiting, parked];
}
