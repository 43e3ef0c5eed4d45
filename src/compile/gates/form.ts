/** Gates on the proposal itself: is it a pair at all, does it cite turns that exist, and how is it worded. */
import { z } from 'zod';
import { qaTypeSchema } from '../../records.ts';
import { clipMark } from '../clip.ts';
import type { DraftPair, RenderedTurn, SegmentView } from '../compiler.ts';
import { normalise } from '../fold.ts';
import { standsIn } from '../mentions.ts';
import { excerpt, type GateContext, type Refusal, refuse } from './gate.ts';

const pairForm = z.object({
  question: z.string().trim().min(12).max(1_000),
  answer: z.string().trim().min(1).max(2_000),
  qaType: qaTypeSchema,
  supportingTurns: z.array(z.int()).min(1).max(50),
  evidence: z
    .array(z.object({ turn: z.int(), quote: z.string() }))
    .min(1)
    .max(50),
});

export function checkForm(draft: DraftPair): Refusal | null {
  const { error } = pairForm.safeParse(draft);
  const issue = error?.issues[0];
  return issue === undefined ? null : refuse('schema', `${issue.path.join('.')}: ${issue.message}`);
}

/** The turns that a draft cites, or the first index that is none of the segment's. */
export function citedTurns(draft: DraftPair, view: SegmentView): RenderedTurn[] | Refusal {
  const indexes = [...new Set([...draft.supportingTurns, ...draft.evidence.map(({ turn }) => turn)])];
  const turns: RenderedTurn[] = [];
  for (const index of indexes.sort((a, b) => a - b)) {
    const turn = view.turns.find((candidate) => candidate.index === index);
    if (turn === undefined) return refuse('turns_exist', `turn ${index} is not in ${rangeOf(view)}`);
    turns.push(turn);
  }
  return turns;
}

function rangeOf({ segment }: SegmentView): string {
  return `${segment.firstTurn} to ${segment.lastTurn}`;
}

const labelPattern = /\b(?:turn|row|message|step|entry)s?\s+(?:no\.?\s*|number\s+)?#?\d+\b|#\d{3}(?![\w-])/gi;

/** A reader of the dataset has no prompt: only a label that the rows themselves use means anything to them. */
export function checkLabels(draft: DraftPair, cited: readonly RenderedTurn[]): Refusal | null {
  const text = normalise(cited.map((turn) => turn.text.replace(clipMark, ' ')).join(' '));
  for (const [label] of `${draft.question} ${draft.answer}`.matchAll(labelPattern)) {
    if (!standsIn(text, normalise(label)) || (label.startsWith('#') && !text.includes(label)))
      return refuse('prompt_label', label);
  }
  return null;
}

/** "Was it A or B?" offers its answer among others; any other question that holds its answer gives it away. */
export function checkGivenAway({ question, answer }: DraftPair): Refusal | null {
  const told = normalise(answer);
  if (told === '' || !standsIn(normalise(question), told) || isOption(told, question)) return null;
  return refuse('answer_in_question', excerpt(answer));
}

/** Whether it is one of two or more things that the question offers: `red or blue`, `which of A, B or C`. */
function isOption(told: string, question: string): boolean {
  if (!/\bor\b|\bwhich (one )?of\b/i.test(question)) return false;
  const offered = question.split(/[,;:()?]|\bor\b/i).map(normalise);
  return offered.some((option) => option === told || option.endsWith(` ${told}`) || option.startsWith(`${told} `));
}

/** A model may know or make up what the rows were cleared of. */
export function checkLeaks({ question, answer, evidence }: DraftPair, { leaks }: GateContext): Refusal | null {
  const found = leaks([question, answer, ...evidence.map(({ quote }) => quote)].join('\n'));
  return found.length === 0 ? null : refuse('unredacted', found.join(', '));
}

const placeholderPattern = /⟦[^⟧]*⟧?/g;

/** Placeholders of redaction are names: one that the segment does not hold was made up. */
export function checkPlaceholders({ question, answer }: DraftPair, view: SegmentView): Refusal | null {
  for (const [placeholder] of `${question} ${answer}`.matchAll(placeholderPattern)) {
    if (!placeholder.endsWith('⟧') || !view.turns.some(({ text }) => text.includes(placeholder)))
      return refuse('unknown_placeholder', excerpt(placeholder));
  }
  return null;
}

/** Whether a text holds a placeholder of redaction: it means nothing outside its session. */
export function holdsPlaceholder(text: string): boolean {
  return text.includes('⟦');
}
