import { expect, it } from 'vitest';
import { park } from '../../src/errors.ts';
import { explainKafka } from '../../src/topic/kafka/faults.ts';

/** As kafkajs makes them: classes that it tells apart by name, type and code. */
function thrown(more: { name?: string; type?: string; code?: string; cause?: unknown; errors?: Error[] }): Error {
  return Object.assign(new Error('what kafkajs says'), more);
}
const wrapped = (cause: Error) => thrown({ name: 'KafkaJSNumberOfRetriesExceeded', cause });

it.each([
  [
    'a refused connection',
    thrown({ name: 'KafkaJSConnectionError', code: 'ECONNREFUSED' }),
    'retry',
    'kafka_unreachable',
  ],
  ['an answer that did not come', thrown({ name: 'KafkaJSRequestTimeoutError' }), 'retry', 'kafka_unreachable'],
  ['a coordinator that is starting', thrown({ name: 'KafkaJSGroupCoordinatorNotFound' }), 'retry', 'kafka_unreachable'],
  ['a wrong password', thrown({ name: 'KafkaJSSASLAuthenticationError' }), 'stop', 'kafka_auth'],
  ['a group that is not ours to join', thrown({ type: 'GROUP_AUTHORIZATION_FAILED' }), 'stop', 'kafka_not_authorised'],
  ['more replicas than brokers', thrown({ type: 'INVALID_REPLICATION_FACTOR' }), 'stop', 'kafka_topic_replicas'],
  ['a policy against a topic', thrown({ type: 'POLICY_VIOLATION' }), 'stop', 'kafka_topic_policy'],
  ['an expired certificate', thrown({ name: 'KafkaJSConnectionError', code: 'CERT_HAS_EXPIRED' }), 'stop', 'kafka_tls'],
  ['a broker of long ago', thrown({ name: 'KafkaJSServerDoesNotSupportApiKey' }), 'stop', 'kafka_version'],
  ['a missing topic', thrown({ type: 'UNKNOWN_TOPIC_OR_PARTITION' }), 'stop', 'kafka_topic_missing'],
  ['a large message', thrown({ type: 'MESSAGE_TOO_LARGE' }), 'park', 'message_too_large'],
  ['what nobody foresaw', thrown({}), 'retry', 'kafka_failed'],
])('%s is classified, also where kafkajs has wrapped it', (_what, error, kind, code) => {
  for (const outer of [error, wrapped(error), wrapped(wrapped(error)), thrown({ errors: [error] })]) {
    expect(explainKafka(outer, 'publishing to topic "t"')).toMatchObject({ kind, code });
  }
  expect(explainKafka(error, 'publishing to topic "t"').message).toMatch(
    /^publishing to topic "t": .*what kafkajs says/,
  );
});

it('an error of ours passes as it is', () => {
  const ours = park('ours', 'a sentence');
  expect(explainKafka(ours, 'anything')).toBe(ours);
  expect(explainKafka(wrapped(ours), 'anything')).toBe(ours);
});
