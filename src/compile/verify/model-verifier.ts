/** The verifier that asks another model: blind first, then with the answers before it. */
import type { z } from 'zod';
import { kindOf } from '../../errors.ts';
import type { ModelCall, QaPair, Verification } from '../../records.ts';
import { actingAgent } from '../assemble.ts';
import { BudgetRefusal } from '../budget/budget.ts';
import type { SegmentView } from '../compiler.ts';
import { normalise } from '../fold.ts';
import { familyOf } from '../models/capabilities.ts';
import type { Door } from '../models/door.ts';
import type { ModelRequest } from '../models/model.ts';
import type { Answer } from '../models/question.ts';
import {
  type BlindAnswer,
  blindAnswers,
  blindForm,
  blindRequest,
  type Case,
  casesOf,
  charsOf,
  shuffled,
} from './blind.ts';
import { type Judged, type Judgement, judgements, judgingForm, judgingRequest } from './judging.ts';
import { likenessOf } from './likeness.ts';
import { readReply } from './reading.ts';
import type { ErrorReason, FailReason, UnseenReason } from './reasons.ts';
import type { Verifier } from './verifier.ts';

/** Raised when anything that is sent, or how an answer is taken, changes. */
const promptVersion = 'verify/1';

export interface VerifierOptions {
  door: Door;
  /** What the model is sent at once, four characters each: the compile stage's own window. */
  windowTokens?: number;
  now?: () => Date;
}

/** A verdict without version and time. */
type Finding =
  | { status: 'pass'; reason: null }
  | { status: 'fail'; reason: FailReason }
  | { status: 'held'; reason: UnseenReason }
  | { status: 'error'; reason: ErrorReason }
  | { status: 'unverified'; reason: 'budget' };

/** A pair that nothing is found against so far, with the answers that are for a reader to compare. */
interface Open {
  pair: QaPair;
  /** By someone who saw all cited turns; null where it says the same. */
  full: string | null;
  /** By those who saw fewer, with the reason that stands against the pair where it says the same. */
  fewer: { answer: string; reason: FailReason }[];
}

const charsPerToken = 4;
/** What an answer within the output limit can hold. */
const maxCasesAtOnce = 40;

export function createVerifier(options: VerifierOptions): Verifier {
  const { door, windowTokens = 24_000, now = () => new Date() } = options;
  const windowChars = windowTokens * charsPerToken;
  const version = `${promptVersion} ${door.model.provider} ${door.model.name}`;
  const family = familyOf(door.model.name);

  async function look(pairs: readonly QaPair[], asking: Asking): Promise<Map<string, Finding>> {
    const findings = new Map<string, Finding>();
    const cases: Case[][] = [];
    for (const pair of pairs) {
      const unseen = unseenReason(pair, asking.view, windowChars);
      if (unseen === null) cases.push(casesOf(pair, asking.view));
      else findings.set(pair.pairKey, { status: 'held', reason: unseen });
    }
    const open: Open[] = [];
    for (const batch of batchesOf(cases, windowChars)) {
      for (const [pair, seen] of await lookBlindly(batch, asking)) {
        if ('status' in seen) findings.set(pair.pairKey, seen);
        else open.push(seen);
      }
    }
    for (const [pair, finding] of await judge(open, asking)) findings.set(pair.pairKey, finding);
    return findings;
  }

  return {
    version,
    async verify(pairs, view, signal, { fresh = false } = {}) {
      const asking: Asking = { door, view, signal, fresh, calls: [] };
      const findings = await look(pairs, asking);
      const at = now().toISOString();
      const verdicts = pairs.map((pair): Verification => {
        const finding = findings.get(pair.pairKey)!;
        // Nobody looked: no verdict of before is undone.
        if (finding.status === 'unverified') return finding;
        const decided = finding.status === 'pass' || finding.status === 'fail';
        return { ...finding, version, at, ...(decided ? { sameFamily: familyOf(pair.sourceModel) === family } : {}) };
      });
      return { verdicts, calls: asking.calls };
    },
  };
}

/** Rows that were cut, or are too many, are told as such: a verdict on what is left would be about another pair. */
function unseenReason(pair: QaPair, view: SegmentView, windowChars: number): UnseenReason | null {
  const cited = view.turns.filter(({ index }) => pair.supportingTurns.includes(index));
  if (cited.length < pair.supportingTurns.length || cited.some(({ clipped }) => clipped)) return 'clipped';
  return charsOf(casesOf(pair, view)) > windowChars ? 'too_large' : null;
}

/** The cases of one pair stay together. */
function batchesOf(cases: readonly Case[][], windowChars: number): Case[][] {
  const batches: Case[][] = [];
  for (const ofPair of cases) {
    const last = batches.at(-1);
    const joined = [...(last ?? []), ...ofPair];
    const fits = joined.length <= maxCasesAtOnce && charsOf(joined) <= windowChars;
    if (last !== undefined && fits) last.push(...ofPair);
    else batches.push([...ofPair]);
  }
  return batches;
}

interface Asking {
  door: Door;
  view: SegmentView;
  signal: AbortSignal;
  fresh: boolean;
  /** Every call that was made. */
  calls: ModelCall[];
}

async function lookBlindly(batch: readonly Case[], asking: Asking): Promise<[QaPair, Finding | Open][]> {
  const cases = shuffled(batch);
  const pairs = [...new Set(batch.map(({ pair }) => pair))];
  const answered = await ask(blindRequest(cases), blindForm, asking);
  if ('status' in answered) return pairs.map((pair) => [pair, answered]);
  const answers = blindAnswers(cases, answered.value);
  return pairs.map((pair) => {
    const own = cases.flatMap((one, at) => (one.pair === pair ? [{ one, answer: answers[at] ?? null }] : []));
    return [pair, weigh(pair, own)];
  });
}

/** What follows from the blind answers alone. */
function weigh(pair: QaPair, cases: readonly { one: Case; answer: BlindAnswer | null }[]): Finding | Open {
  const open: Open = { pair, full: null, fewer: [] };
  if (cases.some(({ answer }) => answer === null)) return { status: 'error', reason: 'missing' };
  const whole = cases.find(({ one }) => one.without === null)?.answer?.answer ?? null;
  if (whole === null) return { status: 'fail', reason: 'not_supported' };
  const likeness = likenessOf(pair.answer, whole);
  if (likeness === 'different') return { status: 'fail', reason: 'wrong_answer' };
  if (likeness === 'unclear') open.full = whole;
  for (const { one, answer } of cases) {
    // What is not quoted from the turns of its own case is a guess, or was seen in another case.
    if (one.without === null || answer === null || answer.answer === null || !answer.quoted) continue;
    const reason = one.turns.length === 1 ? 'single_turn' : 'needs_fewer';
    const fewer = likenessOf(pair.answer, answer.answer);
    if (fewer === 'same') return { status: 'fail', reason };
    if (fewer === 'unclear') open.fewer.push({ answer: answer.answer, reason });
  }
  return open;
}

async function judge(open: readonly Open[], asking: Asking): Promise<[QaPair, Finding][]> {
  if (open.length === 0) return [];
  const judged = open.map((each): Judged => ({ pair: each.pair, others: othersOf(each) }));
  const answered = await ask(judgingRequest(judged, asking.view), judgingForm, asking);
  if ('status' in answered) return open.map(({ pair }) => [pair, answered]);
  const found = judgements(judged, answered.value);
  return open.map((each, at) => [each.pair, conclude(each, judged[at]!.others, found[at] ?? null)]);
}

/** In an order that says nothing, each once. */
function othersOf({ full, fewer }: Open): string[] {
  const all = [...(full === null ? [] : [full]), ...fewer.map(({ answer }) => answer)];
  return [...new Map(all.map((answer) => [normalise(answer), answer])).values()].sort();
}

function conclude({ full, fewer }: Open, others: readonly string[], judgement: Judgement | null): Finding {
  if (judgement === null) return { status: 'error', reason: 'missing' };
  const isSame = (answer: string) =>
    judgement.same[others.findIndex((other) => normalise(other) === normalise(answer))] === true;
  const fail = (reason: FailReason): Finding => ({ status: 'fail', reason });
  if (full !== null && !isSame(full)) return fail('wrong_answer');
  if (!judgement.supported) return fail('not_supported');
  const easy = fewer.find(({ answer }) => isSame(answer));
  if (easy !== undefined) return fail(easy.reason);
  if (!judgement.wellPosed) return fail('not_well_posed');
  return judgement.timeValid ? { status: 'pass', reason: null } : fail('not_time_valid');
}

/** Asks, and reads the answer. What can't be used, and what the money does not reach to, is a finding. */
async function ask<T>(
  request: ModelRequest,
  form: z.ZodType<T>,
  { door, view, signal, fresh, calls }: Asking,
): Promise<{ value: T } | Finding> {
  const { id: segmentId, trajectoryId } = view.segment;
  let answer: Answer;
  try {
    const question = { request, segmentId, trajectoryId, agent: actingAgent(view), stage: 'verify' as const, fresh };
    answer = await door.ask(question, signal);
  } catch (error) {
    return findingOf(error);
  }
  const read = readReply(answer.reply, form);
  calls.push(...annotated(answer.calls, read));
  return 'error' in read ? { status: 'error', reason: read.error } : read;
}

/** @throws what is no matter of this question alone. */
function findingOf(error: unknown): Finding {
  if (error instanceof BudgetRefusal && (error.scope === 'call' || error.scope === 'trajectory'))
    return { status: 'unverified', reason: 'budget' };
  // What redaction should have taken out goes nowhere, its pairs neither; any other refusal leaves the pairs as they are.
  if (kindOf(error) === 'park' && (error as { code?: string }).code !== 'redaction_leak')
    return { status: 'error', reason: 'refused' };
  throw error;
}

function annotated(calls: readonly ModelCall[], read: { error: ErrorReason } | { parseMode: string }): ModelCall[] {
  const last = calls.at(-1);
  if (last === undefined) return [];
  const outcome = 'error' in read && last.outcome !== 'reused' ? read.error : last.outcome;
  return [...calls.slice(0, -1), { ...last, outcome, parseMode: 'error' in read ? null : read.parseMode }];
}
