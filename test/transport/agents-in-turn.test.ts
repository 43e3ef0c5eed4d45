import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Releasers } from '../../src/lifecycle.ts';
import type { Trajectory } from '../../src/records.ts';
import type { TrajectoryRef } from '../../src/sessionizer/outbox.ts';
import { embeddedTransport } from '../../src/transport/embedded.ts';
import { silent, until } from '../support/capture.ts';
import { parcelRows, trajectoryOf } from '../support/trajectories.ts';

const refOf = (name: string): TrajectoryRef => {
  const agent = name.startsWith('-') ? null : name.slice(0, -1);
  const sizes = { part: 0, turns: 12, bytes: 1000, firstAt: 0, lastAt: 0 };
  return { ...sizes, trajectoryId: name, sessionId: name, closedBy: 'idle', agent, resentAt: null };
};

it('trajectories of several agents are compiled in turn, however many of one were sealed first', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tc-turns-'));
  const releasers = new Releasers();
  const bodies = {
    assemble: (id: string): Trajectory => trajectoryOf(parcelRows, { id, sessionId: id }),
    forget: () => {},
  };
  const options = { path: join(folder, 'topics.sqlite'), maxAttempts: 3, sinks: [], bodies, log: silent };
  try {
    const topic = await embeddedTransport(options, releasers).openTrajectories();
    await topic.publish(['loud1', 'loud2', 'loud3', 'quiet1', '-1', '-2', 'quiet2'].map(refOf));
    const done = new AbortController();
    const order: string[] = [];
    const consuming = topic.consume(async ({ id }) => void order.push(id), { concurrency: 1, signal: done.signal });
    await until('all of them', () => order.length === 7);
    done.abort();
    await consuming;
    expect(order).toEqual(['loud1', 'quiet1', '-1', 'loud2', '-2', 'quiet2', 'loud3']);
  } finally {
    await releasers.unwind();
    rmSync(folder, { recursive: true });
  }
});
