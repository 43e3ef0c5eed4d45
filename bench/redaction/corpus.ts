/** A seeded British corpus: what must be found, in the forms in which rows have it, and near misses that must be left alone. */
import { type Detect, noContext, type TextContext } from '../../src/compile/redact/detection.ts';
import { Dice } from '../../src/demo/dice.ts';
import { type Maker, makers, secretPartOf } from './corpus-values.ts';
import { nearMisses } from './near-misses.ts';
import { covers, Tallies, type Tally, type Touched, touchedIn } from './score.ts';

interface Sample {
  text: string;
  context: TextContext;
  from: number;
  to: number;
}

export interface CorpusScore {
  recall: Tally[];
  /** Near misses left alone, by what they are. */
  leftAlone: Tally[];
  touched: Touched[];
  missed: string[];
}

type Form = (maker: Maker, value: string, dice: Dice) => [before: string, after: string, context?: TextContext];

/** E-mail, tool answers, logs, stack traces; and what needs no cue without one. */
const forms: readonly Form[] = [
  (maker, _, dice) => [
    `Hello,\n\nthe caller gave ${dice.pick(maker.cues)} `,
    '. Please ring back today.\n\nMany thanks\n',
  ],
  (maker, _, dice) => ['', '', { key: dice.pick(maker.keys), path: ['customer'] }],
  (maker, _, dice) => [`{"id": 4411, "${dice.pick(maker.keys)}": "`, '", "status": "open"}'],
  (maker, _, dice) => [
    `Error: could not save ${dice.pick(maker.cues)} `,
    '\n    at save (/srv/app/src/store.js:41:13)',
  ],
  (maker, _, dice) => [`2026-03-02T09:14:07Z INFO crm[1412]: ${dice.pick(maker.keys)}=`, ' status=ok'],
];
const withoutCue: Form = () => ['Nothing but this: ', ' and no more of it.'];

export function scoreCorpus(detect: Detect, seed: number, perForm = 12): CorpusScore {
  const recall = new Tallies();
  const missed: string[] = [];
  for (const [stream, maker] of makers.entries()) {
    for (const { text, context, from, to } of samplesOf(maker, new Dice(seed, stream), perForm)) {
      const isFound = covers(detect(text, context), from, to);
      recall.add(maker.kind, isFound);
      if (!isFound)
        missed.push(`${maker.kind} in ${JSON.stringify(text)}${context.key === null ? '' : ` under ${context.key}`}`);
    }
  }
  return { recall: recall.all, missed, ...scoreNearMisses(detect, seed) };
}

function samplesOf(maker: Maker, dice: Dice, perForm: number): Sample[] {
  const all = maker.plain ? [...forms, withoutCue] : forms;
  return all.flatMap((form) => Array.from({ length: perForm }, () => sampleOf(maker, form, dice)));
}

function sampleOf(maker: Maker, form: Form, dice: Dice): Sample {
  const value = maker.make(dice);
  const [before, after, context = noContext] = form(maker, value, dice);
  const part = secretPartOf(maker, value);
  const from = before.length + value.indexOf(part);
  return { text: `${before}${value}${after}`, context, from, to: from + part.length };
}

function scoreNearMisses(detect: Detect, seed: number): Pick<CorpusScore, 'leftAlone' | 'touched'> {
  const leftAlone = new Tallies();
  const touched: Touched[] = [];
  for (const { name, text, context } of nearMisses(seed)) {
    const touch = touchedIn(detect, text, context);
    leftAlone.add(name, touch === null);
    if (touch !== null) touched.push(touch);
  }
  return { leftAlone: leftAlone.all, touched };
}
