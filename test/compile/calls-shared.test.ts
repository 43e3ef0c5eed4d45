import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type CallStore, openCallStore } from '../../src/compile/calls.ts';
import { createCompileStage } from '../../src/compile/compile.ts';
import type { Compiler } from '../../src/compile/compiler.ts';
import { createDoor } from '../../src/compile/models/door.ts';
import { type Model, ModelFault, type ModelReply, noUsage } from '../../src/compile/models/model.ts';
import type { Question } from '../../src/compile/models/question.ts';
import { noRedaction } from '../../src/compile/redact/redactor.ts';
import { heavierDraft, leadsDraft, parcelRows, trajectoryOf } from '../support/trajectories.ts';

let folder: string;
let calls: CallStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tc-shared-'));
  calls = openCallStore(join(folder, 'calls.sqlite'));
});
afterEach(async () => {
  await calls.close();
  rmSync(folder, { recursive: true });
});

const never = new AbortController().signal;
const questionOf = (segmentId: string, fresh = false): Question => ({
  request: { system: 'fixed part', prompt: 'the same prompt', schema: {}, maxOutputTokens: 4_096 },
  segmentId,
  trajectoryId: 'trajectory-1',
  agent: 'tester',
  stage: 'compile',
  fresh,
});

/** A model whose answers come when the test says so. */
function slowModel() {
  const waiting: { resolve(reply: ModelReply): void; reject(error: unknown): void }[] = [];
  let asked = 0;
  const model: Model = {
    provider: 'local',
    name: 'slow-model',
    serviceTier: 'standard',
    settings: '{}',
    generate: (_request, signal) => {
      asked++;
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    },
  };
  const next = () => vi.waitFor(() => waiting.shift() ?? Promise.reject(new Error('nobody asks')));
  return {
    model,
    asked: () => asked,
    answer: async (text: string) =>
      (await next()).resolve({ text, model: 'slow-model', finishReason: 'STOP', blockReason: null, usage: noUsage }),
    refuse: async (kind: 'retry' | 'stop') =>
      (await next()).reject(new ModelFault('busy', 'busy', { kind, mayBeBilled: false })),
  };
}

const doorTo = (model: Model) => createDoor({ model, calls, maxAttempts: 1, backoff: { baseMs: 1, maxMs: 2 } });

describe('one question that is asked several times at once', () => {
  it('is put to the model once, and paid for by whoever was first', async () => {
    const slow = slowModel();
    const door = doorTo(slow.model);
    const asked = ['a', 'b', 'b', 'c'].map((segment) => door.ask(questionOf(segment), never));
    await slow.answer('the answer');
    const answers = await Promise.all(asked);
    expect(answers.map(({ reply }) => reply.text)).toEqual(Array(4).fill('the answer'));
    expect(answers.map((given) => given.calls.map(({ outcome }) => outcome))).toEqual([
      ['ok'],
      ['reused'],
      ['reused'],
      ['reused'],
    ]);
    expect(slow.asked()).toBe(1);
    // As a later question would have it.
    expect((await door.ask(questionOf('c'), never)).calls).toEqual(answers[3]?.calls);
  });

  it('is refused to all where it is refused to one, without asking again for each', async () => {
    const slow = slowModel();
    const door = doorTo(slow.model);
    const asked = ['a', 'b', 'c'].map((segment) => door.ask(questionOf(segment), never));
    await slow.refuse('retry');
    for (const answer of await Promise.allSettled(asked))
      expect(answer).toMatchObject({ status: 'rejected', reason: { kind: 'retry', code: 'model_busy' } });
    expect(slow.asked()).toBe(1);
  });

  it('is asked by the next where the first gave up', async () => {
    const slow = slowModel();
    const door = doorTo(slow.model);
    const first = new AbortController();
    const given = door.ask(questionOf('a'), first.signal);
    const others = ['b', 'c'].map((segment) => door.ask(questionOf(segment), never));
    await vi.waitFor(() => expect(slow.asked()).toBe(1));
    first.abort(new Error('partition lost'));
    await expect(given).rejects.toThrow();
    await vi.waitFor(() => expect(slow.asked()).toBe(2));
    await slow.answer('too late for anyone');
    await slow.answer('the answer');
    expect((await Promise.all(others)).map(({ reply }) => reply.text)).toEqual(['the answer', 'the answer']);
    expect(slow.asked()).toBe(2);
  });

  it('is given up by one who waits for another, at once', async () => {
    const slow = slowModel();
    const door = doorTo(slow.model);
    const first = door.ask(questionOf('a'), never);
    const second = new AbortController();
    const given = door.ask(questionOf('b'), second.signal);
    await vi.waitFor(() => expect(slow.asked()).toBe(1));
    second.abort(new Error('partition lost'));
    await expect(given).rejects.toThrow('partition lost');
    await slow.answer('the answer');
    expect((await first).reply.text).toBe('the answer');
  });

  it('is asked anew for each who wants a fresh answer', async () => {
    const slow = slowModel();
    const door = doorTo(slow.model);
    const asked = ['a', 'b'].map((segment) => door.ask(questionOf(segment, true), never));
    await slow.answer('one');
    await slow.answer('two');
    expect((await Promise.all(asked)).map(({ reply }) => reply.text)).toEqual(['one', 'two']);
  });
});

describe('one trajectory that two workers compile at once', () => {
  it('gives the same record from both', async () => {
    const trajectory = trajectoryOf(parcelRows);
    const started = new Set<string>();
    let go = () => {};
    const both = new Promise<void>((resolve) => {
      go = resolve;
    });
    const workerOf = (name: string, store: CallStore, draft: typeof leadsDraft) => {
      const compiler: Compiler = {
        version: { kind: 'llm', tier: 'cheap', model: 'some-model', promptVersion: 'v1', redaction: 'off' },
        async propose() {
          started.add(name);
          if (started.size === 2) go();
          await both;
          return { drafts: [{ ...draft, raw: '{}' }], calls: [], malformed: [], emptyReason: null };
        },
      };
      return createCompileStage({ compiler, calls: store, redactor: noRedaction });
    };
    const beside = openCallStore(join(folder, 'calls.sqlite'));
    try {
      const [one, two] = await Promise.all([
        workerOf('one', calls, leadsDraft).compileTrajectory(trajectory, never),
        workerOf('two', beside, heavierDraft).compileTrajectory(trajectory, never),
      ]);
      expect(started.size).toBe(2);
      expect(one?.pairs).toHaveLength(1);
      expect(two).toEqual(one);
    } finally {
      await beside.close();
    }
  });
});
