/** Everything that is looked for, in one text: personal data and secrets, without overlaps and without placeholders. */
import type { Detect, Detection } from './detection.ts';
import { secretKinds } from './kinds.ts';
import { createDetectPersonal, type PersonalOptions } from './personal/detect-personal.ts';
import { detectSecrets } from './secrets/detect-secrets.ts';

/** What stands in a text already instead of a value, see ARCHITECTURE. */
const placeholder = /⟦[^⟦⟧\n]{1,40}⟧/g;

/** Findings in the order of their places; none overlaps another or a placeholder. */
export function createDetect(options: PersonalOptions): Detect {
  const personal = createDetectPersonal(options);
  return (text, context) => {
    const found = personal(text, context);
    const secrets = detectSecrets(text, context);
    if (secrets.length > 0) found.push(...secrets);
    return found.length === 0 ? found : settle(text, apart(text, found));
  };
}

/** Findings that touch no placeholder. */
export function apart(text: string, found: Detection[]): Detection[] {
  if (found.length === 0 || !text.includes('⟦')) return found;
  const taken = Array.from(text.matchAll(placeholder), ({ index, 0: { length } }) => ({
    from: index,
    to: index + length,
  }));
  let next = 0;
  return found.sort(byPlace).filter(({ from, to }) => {
    while (next < taken.length && taken[next]!.to <= from) next += 1;
    return next === taken.length || taken[next]!.from >= to;
  });
}

function byPlace(a: Detection, b: Detection): number {
  return a.from - b.from || b.to - a.to;
}

/** A secret before personal data, the longer before the shorter, the certain before the other, the first before the next. */
function byRank(a: Detection, b: Detection): number {
  const secret = Number(secretKinds.has(b.kind)) - Number(secretKinds.has(a.kind));
  return secret || b.to - b.from - (a.to - a.from) || Number(b.certain) - Number(a.certain) || a.from - b.from;
}

/** Of those that overlap the best; what sticks out of it at either side stays found, so that nothing is left of a value. */
export function settle(text: string, found: Detection[]): Detection[] {
  const settled: Detection[] = [];
  for (const next of found.sort(byPlace)) {
    const last = settled.at(-1);
    if (last === undefined || next.from >= last.to) settled.push(next);
    else if (byRank(last, next) <= 0) settled.push(...rest(text, next, last.to, next.to));
    else {
      const from = Math.max(next.from, last.from);
      settled.pop();
      settled.push(...rest(text, last, last.from, from), { ...next, from }, ...rest(text, last, next.to, last.to));
    }
  }
  return settled;
}

/** A part of a finding that is more than punctuation. */
function rest(text: string, { kind }: Detection, from: number, to: number): Detection[] {
  if (from >= to || !/[\p{L}\p{N}]{2}/u.test(text.slice(from, to))) return [];
  return [{ kind, from, to, certain: false }];
}
