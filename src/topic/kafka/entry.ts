/** A message as it lies in Kafka, with what its headers say about earlier deliveries. */
import type { IHeaders, KafkaMessage } from 'kafkajs';

export interface Entry {
  topic: string;
  partition: number;
  offset: number;
  key: string;
  id: string;
  /** Which deliveries are the same one: the id, and what put it back if it was a dead letter. */
  identity: string;
  value: Buffer | null;
  headers: Record<string, string>;
  /** Milliseconds since 1970. */
  publishedAt: number;
  attempts: number;
  failures: number;
  /** Milliseconds since 1970 before which it is not delivered. */
  notBefore: number;
}

/** Headers of ours beside those of the envelope. */
export const headerNames = {
  attempts: 'attempts',
  failures: 'failures',
  notBefore: 'not-before',
  publishedAt: 'published-at',
  /** A message that one group alone is to handle. */
  only: 'only-group',
  /** The dead letter that was put back, or which sending of a message is meant. */
  requeued: 'requeued',
  claim: 'claim',
} as const;

export function entryOf(topic: string, partition: number, message: KafkaMessage): Entry {
  const headers = textOf(message.headers ?? {});
  const offset = Number(message.offset);
  // What carries no id is parked; until then it needs a name.
  const id = headers.id ?? `${topic}/${partition}/${offset}`;
  const requeued = headers[headerNames.requeued];
  return {
    topic,
    partition,
    offset,
    key: message.key?.toString() ?? id,
    id,
    identity: requeued === undefined ? id : `${id} ${requeued}`,
    value: message.value,
    headers,
    publishedAt: numberIn(headers, headerNames.publishedAt) ?? Number(message.timestamp),
    attempts: numberIn(headers, headerNames.attempts) ?? 0,
    failures: numberIn(headers, headerNames.failures) ?? 0,
    notBefore: numberIn(headers, headerNames.notBefore) ?? 0,
  };
}

/** Headers for the retry topic. */
export function retryHeaders(entry: Entry): Record<string, string> {
  return {
    ...entry.headers,
    [headerNames.attempts]: String(entry.attempts),
    [headerNames.failures]: String(entry.failures),
    [headerNames.notBefore]: String(entry.notBefore),
    [headerNames.publishedAt]: String(entry.publishedAt),
  };
}

export function textOf(headers: IHeaders): Record<string, string> {
  const text: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const one = Array.isArray(value) ? value[0] : value;
    if (one !== undefined) text[name] = one.toString();
  }
  return text;
}

function numberIn(headers: Record<string, string>, name: string): number | undefined {
  const value = Number(headers[name] ?? Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}
