import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../src/log.ts';
import type { KafkaCluster } from '../../src/topic/kafka/client.ts';
import { writeNote } from '../../src/topic/kafka/commit-note.ts';
import type { Entry } from '../../src/topic/kafka/entry.ts';
import type { Member } from '../../src/topic/kafka/member.ts';
import { Ownership } from '../../src/topic/kafka/ownership.ts';

const partitions = [0, 1, 2];
let ending = new AbortController();
beforeEach(() => {
  ending = new AbortController();
});
afterEach(() => {
  ending.abort();
  vi.useRealTimers();
});

/** A member of a group that nobody has worked in so far, or `holder`; `answers` is how its brokers tell of offsets. */
function ownership({
  holder = null,
  answers = async () => {},
}: {
  holder?: string | null;
  answers?: () => Promise<void>;
} = {}): Ownership {
  const metadata = writeNote({ holder, finished: new Uint8Array(), begun: [] });
  const admin = {
    fetchOffsets: async ({ topics }: { topics: string[] }) => {
      await answers();
      return topics.map((topic) => ({
        topic,
        partitions: partitions.map((partition) => ({ partition, offset: '-1', metadata })),
      }));
    },
    fetchTopicOffsets: async () => partitions.map((partition) => ({ partition, offset: '5', low: '0', high: '5' })),
  };
  const member: Partial<Member> = {
    id: () => 'us',
    commit: async () => true,
    peers: async () => new Map(holder === null ? [] : [[holder, null]]),
    pause: () => {},
    resume: () => {},
    seek: () => {},
  };
  return new Ownership({
    cluster: { admin: async () => admin } as unknown as KafkaCluster,
    group: 'g',
    groupId: 'g',
    topics: { main: 'parcels', retry: 'parcels.g.retry' },
    member: member as Member,
    handoverTimeoutMs: 60_000,
    tag: null,
    signal: ending.signal,
    onChange: () => {},
    onFailure: (error) => {
      throw error;
    },
    log: createLogger('silent'),
  });
}

const open = (ours: Ownership) => ours.open().map(({ partition }) => partition);

describe('the partitions of a member', () => {
  it('are gained after an assignment that brought nothing new', async () => {
    const ours = ownership();
    ours.assigned([0]);
    await vi.waitFor(() => expect(open(ours)).toEqual([0]));
    ours.assigned([0]);
    ours.assigned([0, 1]);
    await vi.waitFor(() => expect(open(ours)).toEqual([0, 1]));
  });

  it('are gained at whatever moment after an earlier gain the group assigns them', async () => {
    for (let turns = 0; turns < 40; turns++) {
      const ours = ownership();
      ours.assigned([0]);
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      ours.assigned([0, 1, 2]);
      await vi.waitFor(() => expect(open(ours)).toEqual([0, 1, 2]), { interval: 1 });
    }
  });

  it('are not taken from their holder when the clock is set forward', async () => {
    let looks = 0;
    const answers = async () => void looks++;
    const ours = ownership({ holder: 'other', answers });
    ours.assigned([0]);
    setClockForward();
    await vi.waitFor(() => expect(looks).toBeGreaterThan(2), { timeout: 5_000 });
    expect(open(ours)).toEqual([]);
  });

  it('are kept until what is in work has ended when the clock is set forward', async () => {
    const ours = ownership();
    ours.assigned([0]);
    await vi.waitFor(() => expect(open(ours)).toEqual([0]));
    const lane = ours.lane(0)!;
    const giveUp = new AbortController();
    lane.inWork.set('key', { entry: {} as Entry, giveUp });
    ours.assigned([]);
    setClockForward();
    lane.waker.wake();
    await new Promise(setImmediate);
    expect([lane.state, giveUp.signal.aborted]).toEqual(['leaving', false]);
    lane.inWork.clear();
    lane.waker.wake();
    await vi.waitFor(() => expect(lane.state).toBe('closed'));
  });

  it('are left in bounded time while brokers do not answer', async () => {
    const ours = ownership({ answers: () => new Promise(() => {}) });
    ours.assigned([0]);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let left = false;
    void ours.leave().then(() => {
      left = true;
    });
    await vi.advanceTimersByTimeAsync(20_000);
    expect(left).toBe(true);
  });
});

function setClockForward(): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
}
