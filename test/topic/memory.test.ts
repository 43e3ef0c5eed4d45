import { z } from 'zod';
import { jsonCodec } from '../../src/topic/codec.ts';
import { openMemoryTopic } from '../support/memory-topic.ts';
import { topicContract } from './contract.ts';

const codec = jsonCodec(z.object({ spec: z.literal('parcel/1'), n: z.int() }), 'parcel/1');

const harness = async () => ({
  open: async () => openMemoryTopic({ name: 'parcels', codec, maxAttempts: 3 }),
  dispose: async () => {},
});

topicContract('the topic in memory', harness, { durable: false });
