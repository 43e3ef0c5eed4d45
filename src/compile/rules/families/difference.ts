/** Numbers that are not in any turn: how much a reading changed. */
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { type Check, keyOf, type Observation, observationsIn, saysTheSame } from '../check.ts';
import { spokenLabel } from '../words.ts';

export function difference(checks: readonly Check[]): Candidate[] {
  return checks.flatMap((check) => {
    const series = seriesOf(check);
    return [...series.values()].flatMap((points) => candidate(check, points)).slice(0, 1);
  });
}

interface Point {
  call: Call;
  observation: Observation;
}

/** The readings with a unit, by what they are of. */
function seriesOf(check: Check): Map<string, Point[]> {
  const series = new Map<string, Point[]>();
  for (const call of check.calls) {
    for (const observation of observationsIn(call)) {
      if (observation.quantity === null) continue;
      const key = `${keyOf(observation)}\u0001${observation.quantity.unit}`;
      series.set(key, [...(series.get(key) ?? []), { call, observation }]);
    }
  }
  return series;
}

function candidate(check: Check, points: readonly Point[]): Candidate[] {
  const [first, last] = [points[0]!, points.at(-1)!];
  const [a, b] = [first.observation.quantity!, last.observation.quantity!];
  if (!apart(first.call, last.call) || Number(a.text) === Number(b.text)) return [];
  const result = subtract(a.text, b.text);
  const unit = a.unit;
  const way = Number(b.text) > Number(a.text) ? 'higher' : 'lower';
  const money = /^[$€£]$/.test(unit);
  const say = (text: string) => (money ? `${unit}${text}` : unit === '%' ? `${text}%` : `${text} ${unit}`);
  const supports = [
    support(first.call, 'response', first.observation.path, a.text, first.observation.hint),
    support(last.call, 'response', last.observation.path, b.text, last.observation.hint),
  ];
  return [
    {
      family: 'difference',
      qaType: 'composition',
      question: questionOf(first.observation, check, way, points.length),
      answer: `${say(result)} ${way} (${say(b.text)} against ${say(a.text)}).`,
      support: supports,
      derivation: derivation('difference', supports, result, { unit }),
      subject: check.calls[0]!.signature,
      worth: 84,
      needs: [a.text, b.text].map((value) => ({ value, near: null })),
    },
  ];
}

function questionOf({ label }: Observation, check: Check, way: string, readings: number): string {
  const last = readings === 2 ? 'second' : 'last';
  const what = label === null || saysTheSame(label, check.name) ? '' : `${spokenLabel(label)} `;
  return `How much ${way} was the ${last} ${what}figure from ${check.name} than the first?`;
}

/** Exact in decimals, without a sign. */
export function subtract(a: string, b: string): string {
  const digits = Math.max(...[a, b].map((text) => text.split('.')[1]?.length ?? 0));
  const units = (text: string) => Math.round(Number(text) * 10 ** digits);
  return (Math.abs(units(a) - units(b)) / 10 ** digits).toFixed(digits);
}
