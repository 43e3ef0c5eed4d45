/**
 * Dead letters: a compacted topic a group. Its keys name the message and where it lay, so that a message that is put back
 * and parked anew is another letter, which the tombstone of the first does not take away.
 */
import type { KafkaMessage } from 'kafkajs';
import type { DeadLetter } from '../topic.ts';
import { type Entry, headerNames, textOf } from './entry.ts';
import type { OutgoingMessage } from './producer.ts';

export interface Letter {
  /** In the dead-letter topic. */
  letterKey: string;
  letter: DeadLetter;
  /** As they were in the topic that it was parked from. */
  value: Buffer;
  headers: Record<string, string>;
}

const deadPrefix = 'dead-';
// A header is no place for a stack of causes.
const mostErrorLength = 2_000;

export function letterOf(deadTopic: string, group: string, entry: Entry, code: string, error: string): OutgoingMessage {
  const { id, key, attempts, topic, partition, offset, publishedAt } = entry;
  const origin = `${topic}/${partition}/${offset}`;
  const about = {
    ...{ id, key, group, code, origin },
    attempts: String(attempts),
    error: error.slice(0, mostErrorLength),
    'parked-at': new Date().toISOString(),
  };
  const headers: Record<string, string> = { ...entry.headers, [headerNames.publishedAt]: String(publishedAt) };
  for (const [name, text] of Object.entries(about)) headers[`${deadPrefix}${name}`] = text;
  // A null value would be a tombstone.
  return { topic: deadTopic, key: `${id} ${origin}`, value: entry.value ?? Buffer.alloc(0), headers };
}

export function readLetter({ key, value, headers: raw = {} }: KafkaMessage): Letter | null {
  if (key === null || value === null) return null;
  const all = textOf(raw);
  const about = (name: string) => all[`${deadPrefix}${name}`] ?? '';
  const headers = Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith(deadPrefix)));
  const letter: DeadLetter = {
    group: about('group'),
    id: about('id'),
    key: about('key'),
    attempts: Number(about('attempts')),
    code: about('code'),
    error: about('error'),
    parkedAt: about('parked-at'),
  };
  return { letterKey: key.toString(), letter, value, headers };
}

/**
 * The message for the end of its key, for that group alone. It goes to the main topic, not to the retry topic: there it
 * would come before messages that were published after it.
 */
export function requeuedOf(mainTopic: string, { letterKey, letter, value, headers }: Letter): OutgoingMessage {
  const { attempts: _a, failures: _f, notBefore: _n } = headerNames;
  const kept = Object.entries(headers).filter(([name]) => name !== _a && name !== _f && name !== _n);
  return {
    topic: mainTopic,
    key: letter.key,
    value,
    headers: {
      ...Object.fromEntries(kept),
      [headerNames.only]: letter.group,
      [headerNames.requeued]: letterKey,
    },
  };
}
