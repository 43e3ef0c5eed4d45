import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { packTurns, unpackOrder, unpackTurns } from '../../src/sessionizer/chunk.ts';
import { contentHashOf, inTurnOrder, trajectoryIdOf } from '../../src/sessionizer/trajectory.ts';
import { LogWriter, second } from './log.ts';

describe('the order of turns', () => {
  test('is by createdAt, then by position, whatever order they are given in', () => {
    const log = new LogWriter();
    const times = ['00:00:02', '00:00:01', '00:00:01.000001', '00:00:01'];
    const turns = times.map((time) => log.turn({ createdAt: `2026-01-05 ${time}+00` }));
    const keys = (list: typeof turns) => inTurnOrder(list).map((turn) => turn.rowKey);
    expect(keys(turns)).toEqual(['2', '4', '3', '1']);
    expect(keys([...turns].reverse())).toEqual(['2', '4', '3', '1']);
  });

  test('takes the commit time where createdAt is null or no finite time', () => {
    const log = new LogWriter();
    const turns = [
      log.turn({ at: 3 * second, createdAt: null }),
      log.turn({ at: 2 * second, createdAt: 'infinity' }),
      log.turn({ at: 1 * second, createdAt: '0044-03-15 00:00:00+00 BC' }),
      log.turn({ at: 0 }),
    ];
    expect(inTurnOrder(turns).map((turn) => turn.rowKey)).toEqual(['4', '3', '2', '1']);
  });

  test('leaves a turn without any time behind the one it came after', () => {
    const log = new LogWriter();
    const turns = [
      log.turn({ at: 5 }),
      log.turn({ at: null, createdAt: null }),
      log.turn({ at: 1 }),
      log.turn({ at: 9 }),
    ];
    expect(inTurnOrder(turns).map((turn) => turn.rowKey)).toEqual(['3', '1', '2', '4']);
  });
});

describe('ids and hashes', () => {
  test('no two different lists of keys, sessions or sources have one id', () => {
    const ids = [
      trajectoryIdOf('a', 'b', ['1', '2']),
      trajectoryIdOf('a', 'b', ['12']),
      trajectoryIdOf('a', 'b', ['1,2']),
      trajectoryIdOf('a', 'b', ['1","2']),
      trajectoryIdOf('a', 'b', ['2', '1']),
      trajectoryIdOf('ab', '', ['1', '2']),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  test('an id stays what it was in earlier versions', () => {
    expect(trajectoryIdOf('7300000000000000001/app/public.audit_log', 'session-1', ['41', '42'])).toBe(
      'dc86fa6f21cb134e2337a7fdd79196c9256582b058f7260dbbfc530a944c1963',
    );
  });

  test('the content hash covers every text of a row, and nothing of how the row came', () => {
    const turn = new LogWriter().turn({ metadata: { b: '2', a: '1' } });
    const hash = contentHashOf([turn]);
    const moved = { ...turn, committedAt: 5, position: { ...turn.position, ordinal: 7 }, metadata: { a: '1', b: '2' } };
    expect(contentHashOf([moved])).toBe(hash);
    for (const field of [
      'rowKey',
      'agent',
      'tool',
      'arguments',
      'response',
      'costUsd',
      'durationMs',
      'createdAt',
    ] as const) {
      expect(contentHashOf([{ ...turn, [field]: 'other' }]), field).not.toBe(hash);
    }
    expect(contentHashOf([{ ...turn, metadata: { a: '1', b: null } }])).not.toBe(hash);
    expect(contentHashOf([{ ...turn, response: null }])).not.toBe(contentHashOf([{ ...turn, response: '' }]));
    expect(contentHashOf([turn, turn])).not.toBe(hash);
  });
});

test('turns come out of a chunk as they went in', () => {
  const text = fc.option(
    fc.string({ unit: 'binary' }).map((s) => s.toWellFormed()),
    { nil: null },
  );
  const turns = fc.array(
    fc.record({ agent: text, tool: text, arguments: text, response: text, costUsd: text, createdAt: text }),
  );
  fc.assert(
    fc.property(turns, (texts) => {
      const log = new LogWriter();
      const list = texts.map((more) => ({ ...log.turn({}), ...more }));
      const chunk = packTurns(list);
      expect(unpackTurns('s', chunk)).toEqual(list);
      expect(unpackOrder(chunk.heads).map((key) => key.rowKey)).toEqual(list.map((turn) => turn.rowKey));
    }),
  );
});
