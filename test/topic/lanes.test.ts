import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { park } from '../../src/errors.ts';
import { jsonCodec } from '../../src/topic/codec.ts';
import { type EmbeddedTopic, openEmbeddedTopic } from '../../src/topic/embedded.ts';
import { topicMigrations } from '../../src/topic/schema.ts';
import { silent, until } from '../support/capture.ts';
import type { Parcel } from './contract.ts';

const codec = jsonCodec(z.object({ spec: z.literal('parcel/1'), n: z.int() }), 'parcel/1');

describe('lanes of an embedded topic', () => {
  let folder: string;
  let path: string;
  let topic: EmbeddedTopic<Parcel>;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tc-lanes-'));
    path = join(folder, 'topics.sqlite');
    topic = open();
  });
  afterEach(async () => {
    await topic.close();
    rmSync(folder, { recursive: true });
  });

  const open = () => openEmbeddedTopic<Parcel>({ path, name: 'parcels', codec, log: silent, groups: ['g'] });
  /** `a3`: the third of lane a, with a key of its own unless one is given; `3`: without a lane. */
  async function publish(names: string, key?: string): Promise<void> {
    for (const name of names.split(' ')) {
      const lane = /^[a-z]+/.exec(name)?.[0];
      const value = { spec: 'parcel/1', n: 1 } as const;
      await topic.publish({ id: name, key: key ?? name, value, ...(lane === undefined ? {} : { lane }) });
    }
  }
  /** Hands over one at a time until `count` were, or all. */
  async function handled(count = Number.POSITIVE_INFINITY, refused = ''): Promise<string> {
    const ids: string[] = [];
    const enough = new AbortController();
    const handle = async ({ message }: { message: { id: string } }) => {
      if (message.id === refused) throw park('refused', 'not now');
      ids.push(message.id);
      if (ids.length === count) enough.abort();
    };
    const consuming = topic.consume('g', handle, { concurrency: 1, signal: enough.signal });
    await until('the messages', async () => enough.signal.aborted || (await topic.lag('g')).messages === 0);
    enough.abort();
    await consuming;
    return ids.join(' ');
  }

  it('take turns, however much one of them published first', async () => {
    await publish('a1 a2 a3 a4 a5 b1 b2 c1');
    expect(await handled()).toBe('a1 b1 c1 a2 b2 a3 a4 a5');
  });

  it('wait for one turn of the others, not for what these have waiting, and lose none by being away', async () => {
    await publish('a1 a2 a3 a4 a5 a6');
    expect(await handled(3)).toBe('a1 a2 a3');
    await topic.close();
    topic = open();
    await publish('b1 b2 b3');
    expect(await handled()).toBe('b1 a4 b2 a5 b3 a6');
    await publish('c1 c2 a7 d1');
    expect(await handled()).toBe('c1 a7 d1 c2');
  });

  it('keep the order of a key', async () => {
    await publish('a1 a2', 'same');
    await publish('b1', 'same');
    await publish('b2 b3');
    expect(await handled()).toBe('a1 a2 b1 b2 b3');
  });

  it('have a message that was put back at their end', async () => {
    await publish('a1 a2 a3 b1');
    expect(await handled(1, 'a1')).toBe('b1');
    await topic.requeue('g', 'a1');
    await publish('b2');
    expect(await handled()).toBe('b2 a2 a3 a1');
  });

  it('are not needed: without them age decides, and what an older version published comes first', async () => {
    await topic.close();
    rmSync(path);
    const old = new Database(path);
    old.exec(String(topicMigrations[0]));
    old.pragma('user_version = 1');
    old.close();
    topic = open();
    await publish('1 2 3');
    await publish('a1 a2');
    await publish('4');
    expect(await handled()).toBe('1 2 3 a1 4 a2');
  });
});
