import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { park } from '../../src/errors.ts';
import { forgetFinished, TopicFile } from '../../src/reconcile/topic-file.ts';
import { jsonCodec } from '../../src/topic/codec.ts';
import { openEmbeddedTopic } from '../../src/topic/embedded.ts';
import { silent } from '../support/capture.ts';

const codec = jsonCodec(z.object({ spec: z.literal('parcel/1') }), 'parcel/1');
let dir: string;
let path: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tc-topic-file-'));
  path = join(dir, 'topics.sqlite');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('finds what a group has before it or has parked, by trajectory, and nothing that it has finished', async () => {
  const lookup = new TopicFile(path);
  const find = (group: string) => Object.fromEntries(lookup.find('compiled', group, ['aa', 'bb', 'cc', 'dd']));
  expect(find('sqlite')).toEqual({});
  const topic = openEmbeddedTopic({ path, name: 'compiled', groups: ['sqlite', 'supabase'], codec, log: silent });
  for (const id of ['aa rules 1', 'bb rules 1', 'cc', 'cca rules 1', 'ddd']) {
    await topic.publish({ id, key: id, value: { spec: 'parcel/1' } });
  }
  expect(find('sqlite')).toEqual({ aa: 'on_the_way', bb: 'on_the_way', cc: 'on_the_way' });
  const stopping = new AbortController();
  const handler = async ({ message }: { message: { id: string } }) => {
    if (message.id.startsWith('bb')) throw park('broken', 'refused');
  };
  const consuming = topic.consume('sqlite', handler, { concurrency: 1, signal: stopping.signal });
  await vi.waitFor(async () => expect((await topic.lag('sqlite')).messages).toBe(0), { timeout: 20_000, interval: 5 });
  stopping.abort();
  await consuming;
  expect(find('sqlite')).toEqual({ bb: 'parked' });
  expect(find('supabase')).toEqual({ aa: 'on_the_way', bb: 'on_the_way', cc: 'on_the_way' });
  expect(find('a group that is new')).toEqual({ aa: 'on_the_way', bb: 'on_the_way', cc: 'on_the_way' });
  lookup.close();
  await topic.close();
});

it('lets what was finished be published once more where its trajectory is forgotten', async () => {
  const topic = openEmbeddedTopic({ path, name: 'compiled', groups: ['sqlite'], codec, log: silent });
  const seen: string[] = [];
  const stopping = new AbortController();
  const consuming = topic.consume('sqlite', async ({ message }) => void seen.push(message.id), {
    concurrency: 1,
    signal: stopping.signal,
  });
  const publish = (id: string) => topic.publish({ id, key: id, value: { spec: 'parcel/1' } });
  await publish('aa rules 1');
  await publish('bb rules 1');
  await vi.waitFor(() => expect(topic.finishedAmong(['aa rules 1', 'bb rules 1'])).toHaveLength(2), {
    timeout: 20_000,
  });
  forgetFinished(path, ['aa']);
  await publish('bb rules 1');
  await publish('aa rules 1');
  await vi.waitFor(() => expect(seen).toHaveLength(3), { timeout: 20_000 });
  expect(seen.at(-1)).toBe('aa rules 1');
  stopping.abort();
  await consuming;
  await topic.close();
});
