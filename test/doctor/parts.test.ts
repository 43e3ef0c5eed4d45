import { expect, it } from 'vitest';
import { ok } from '../../src/checks.ts';
import { type Examined, examineParts, type Part } from '../../src/doctor/parts.ts';
import { forever } from './looking.ts';

const endless = () => new Promise<void>(() => {});
const part = (name: string, examine: Part['examine'], limitMs = 60_000): Part => ({ name, limitMs, examine });

async function all(parts: Part[], { drain = forever, slow = (_part: string) => {} } = {}): Promise<Examined[]> {
  const found: Examined[] = [];
  for await (const examined of examineParts(parts, { drain, slow, silenceMs: 1 })) found.push(examined);
  return found;
}

it('parts are told in their order, whichever ends first', async () => {
  let release = () => {};
  const later = new Promise<void>((resolve) => {
    release = resolve;
  });
  const found = await all([
    part('first', async (list) => {
      await later;
      list.add(ok('a', 'a'));
    }),
    part('second', (list) => {
      list.add(ok('b', 'b'));
      release();
    }),
  ]);
  expect(found.map(({ part: name, checks, givenUp }) => [name, checks[0]?.name, givenUp])).toEqual([
    ['first', 'a', false],
    ['second', 'b', false],
  ]);
});

it('a part that never ends is given up, its signal fires, and what it had said is told', async () => {
  const slow: string[] = [];
  let signalled: AbortSignal | undefined;
  const stuck = part(
    'stuck',
    (list, signal) => {
      signalled = signal;
      list.add(ok('begun', 'begun'));
      return endless();
    },
    20,
  );
  const [given, next] = await all([stuck, part('next', (list) => list.add(ok('b', 'b')))], {
    slow: (name) => slow.push(name),
  });
  expect(given).toMatchObject({ part: 'stuck', givenUp: true });
  expect(given!.checks.map(({ name, outcome }) => `${outcome} ${name}`)).toEqual(['ok begun', 'failure timed_out']);
  expect(given!.checks[1]).toMatchObject({ exitCode: 5, sentence: expect.stringMatching(/^stuck: .* within 0\.02 s/) });
  expect(signalled?.aborted).toBe(true);
  expect(next?.givenUp).toBe(false);
  expect(slow).toEqual(['stuck']);
});

it('a fault of ours is a failure of its part alone', async () => {
  const [broken, next] = await all([
    part('broken', () => {
      throw new Error('a fault of ours');
    }),
    part('next', (list) => list.add(ok('b', 'b'))),
  ]);
  expect(broken!.checks).toEqual([expect.objectContaining({ name: 'unexpected', sentence: 'a fault of ours' })]);
  expect(next!.checks).toHaveLength(1);
});

it('whoever is told to stop waits for nobody', async () => {
  const stop = new AbortController();
  const work = part('stuck', () => {
    stop.abort();
    return endless();
  });
  expect(await all([work], { drain: stop.signal })).toEqual([]);
});
