/** Each verdict of the capture drill can fail: it is shown a history that breaks its promise, and no other. */
import { describe, expect, it } from 'vitest';
import {
  type CaptureHistory,
  judge,
  type SeenPart,
  type Verdict,
  verdicts,
} from '../../bench/drill/capture-history.ts';

const row = (key: string, sessionId: string, createdAt: number, place: number) => ({
  key,
  sessionId,
  createdAt,
  digest: `text of ${key}`,
  place,
});

const part = (id: string | null, sessionId: string, number: number, keys: string[]): SeenPart => ({
  id,
  sessionId,
  part: number,
  turns: keys.map((key) => ({ key, digest: id === null ? null : `text of ${key}` })),
});

/** Rows 1 and 2 have one time and were committed the other way round; 6 is in a part that is still held. */
function goodHistory(): CaptureHistory {
  const sealed = { id: 't0', sessionId: 'a', part: 0, contentHash: 'h0', stored: true };
  return {
    rows: [
      row('1', 'a', 10, 2),
      row('2', 'a', 10, 1),
      row('3', 'b', 11, 3),
      row('4', 'a', 20, 4),
      row('5', 'a', 19, 5),
      row('6', 'b', 30, 6),
    ],
    parts: [part('t0', 'a', 0, ['2', '1']), part('t1', 'a', 1, ['5', '4']), part(null, 'b', 0, ['3', '6'])],
    snapshots: [
      [{ ...sealed, stored: false }],
      [sealed],
      [sealed, { ...sealed, id: 't1', part: 1, contentHash: 'h1' }],
    ],
    samples: [
      { confirmed: '00000000/00000010', stored: '00000000/00000010', during: 'a kill' },
      { confirmed: '00000000/00000010', stored: '00000000/00000018', during: 'a kill' },
    ],
    ending: { open: 0, unpublished: 0, undelivered: 0, parked: 0 },
    replayed: [part(null, 'b', 0, ['3', '6']), part('t0', 'a', 0, ['2', '1']), part('t1', 'a', 1, ['5', '4'])],
  };
}

type Wrong = (history: CaptureHistory) => Partial<CaptureHistory>;

/** `part` in place of the one that is there, here and in the replay. */
const inPlaceOf =
  (number: number, wrong: SeenPart): Wrong =>
  ({ parts }) => {
    const all = parts.map((right, i) => (i === number ? wrong : right));
    return { parts: all, replayed: all };
  };

const wrongs: [string, Verdict, Wrong][] = [
  ['a row that is in no part', 'lost', inPlaceOf(1, part('t1', 'a', 1, ['4']))],
  ['a row that is in two parts', 'doubled', inPlaceOf(1, part('t1', 'a', 1, ['5', '4', '4']))],
  ['a row that was rolled back', 'foreign', inPlaceOf(2, part(null, 'b', 0, ['3', '6', '7']))],
  [
    'a row in a part of another session',
    'foreign',
    (history) => ({ rows: history.rows.map((r) => (r.key === '6' ? { ...r, sessionId: 'c' } : r)) }),
  ],
  [
    'a row with other text',
    'altered',
    ({ rows }) => ({ rows: rows.map((r) => (r.key === '4' ? { ...r, digest: 'other text' } : r)) }),
  ],
  ['turns that are not in the order of time', 'disordered', inPlaceOf(1, part('t1', 'a', 1, ['4', '5']))],
  [
    'turns of one time that are not in the order of commits',
    'disordered',
    inPlaceOf(0, part('t0', 'a', 0, ['1', '2'])),
  ],
  ['a part number that is left out', 'disordered', inPlaceOf(1, part('t1', 'a', 2, ['5', '4']))],
  [
    'a part that holds a row committed after the next part began',
    'disordered',
    ({ rows }) => ({ rows: rows.map((r) => (r.key === '1' ? { ...r, place: 4.5 } : r)) }),
  ],
  [
    'content that changed',
    'changed',
    ({ snapshots }) => ({ snapshots: [...snapshots, snapshots[2]!.map((s) => ({ ...s, contentHash: 'h9' }))] }),
  ],
  [
    'a sealed part that became another trajectory',
    'changed',
    ({ snapshots }) => ({ snapshots: [...snapshots, [...snapshots[2]!, { ...snapshots[1]![0]!, id: 't9' }]] }),
  ],
  ['a sealed part that vanished', 'changed', ({ snapshots }) => ({ snapshots: [...snapshots, snapshots[1]!] })],
  [
    'a position that was confirmed before it was stored',
    'early',
    ({ samples }) => ({
      samples: [...samples, { confirmed: '00000001/00000000', stored: '00000000/FFFFFFFF', during: 'a kill' }],
    }),
  ],
  ...(['open', 'unpublished', 'undelivered', 'parked'] as const).map((what): [string, Verdict, Wrong] => [
    `one thing ${what} in the end`,
    'unended',
    ({ ending }) => ({ ending: { ...ending, [what]: 1 } }),
  ]),
  [
    'a boundary that a replay draws elsewhere',
    'replayed',
    ({ replayed }) => ({ replayed: [...replayed!.slice(0, 2), part('t7', 'a', 1, ['5', '4'])] }),
  ],
  [
    'a part that only a replay has',
    'replayed',
    ({ replayed }) => ({ replayed: [...replayed!, part('t8', 'c', 0, [])] }),
  ],
  [
    'a held part with other rows than in a replay',
    'replayed',
    ({ replayed }) => ({ replayed: [part(null, 'b', 0, ['3']), ...replayed!.slice(1)] }),
  ],
];

describe('the history checker of the capture drill', () => {
  it('finds nothing in a history that is as it should be', () => {
    expect(Object.values(judge(goodHistory())).flat()).toEqual([]);
  });

  it.each(wrongs)('finds %s (%s)', (_what, verdict, wrong) => {
    const history = goodHistory();
    const findings = judge({ ...history, ...wrong(history) });
    const failed = Object.entries(findings).filter(([, found]) => found.length > 0);
    expect(failed.map(([name]) => name)).toEqual([verdict]);
  });

  it('has a wrong history for each of its verdicts', () => {
    expect(new Set(wrongs.map(([, verdict]) => verdict))).toEqual(new Set(Object.keys(verdicts)));
  });
});
