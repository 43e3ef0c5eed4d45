/** Ways in which a pair is written differently and stays what it is: these the gates must let through. */
import type { DraftPair, SegmentView } from '../../src/compile/compiler.ts';
import { type Mutate, none, type Pair, replaceWord } from './pair.ts';

const written = (write: (draft: DraftPair, view: SegmentView) => DraftPair | null): Mutate => {
  return ({ view, draft }: Pair) => {
    const other = write(draft, view);
    return other === null ? none() : { wrong: [{ view, draft: other }], leftTrue: 0 };
  };
};

export const harmless: Record<string, Mutate> = {
  unaltered: written((draft) => draft),
  'evidence in another order': written((draft) => ({
    ...draft,
    supportingTurns: draft.supportingTurns.toReversed(),
    evidence: draft.evidence.toReversed(),
  })),
  'quotes with JSON escapes and other white space': written((draft) => ({
    ...draft,
    evidence: draft.evidence.map((one) => ({
      ...one,
      quote: JSON.stringify(one.quote).slice(1, -1).replaceAll(' ', '  '),
    })),
  })),
  'numbers written with zeros behind the point': written((draft) => {
    const number = /(?<![\p{L}\p{N}_.,#/:-])\d+\.\d+(?![\p{L}\p{N}_/:%-]|[.,]\d)/u.exec(draft.answer)?.[0];
    if (number === undefined || draft.derivation !== null || /["'“‘]/.test(draft.answer)) return null;
    return { ...draft, answer: replaceWord(draft.answer, number, `${number}0`) };
  }),
  'a turn cited that adds nothing': written((draft, view) => {
    const idle = view.turns.find((turn) => !draft.supportingTurns.includes(turn.index) && turn.bearsEvidence);
    if (idle === undefined) return null;
    return { ...draft, supportingTurns: [...draft.supportingTurns, idle.index] };
  }),
  'a turn quoted that adds nothing': written((draft, view) => {
    const idle = view.turns.find((turn) => !draft.supportingTurns.includes(turn.index) && turn.bearsEvidence);
    const quote = idle?.text.split('\n').find((line) => line.trim().length >= 8 && line.length <= 300);
    if (idle === undefined || quote === undefined) return null;
    const evidence = [...draft.evidence, { turn: idle.index, quote }];
    return { ...draft, supportingTurns: [...draft.supportingTurns, idle.index], evidence };
  }),
};
