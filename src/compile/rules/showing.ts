/** What a check showed, in the words of a question: of one reading, of a number of things, or of its one statement. */
import type { Call } from './call.ts';
import { type Check, type Observation, saysTheSame } from './check.ts';
import { isMany, isState, nth, spokenLabel, unitOf } from './words.ts';

type Shown = Pick<Observation, 'label' | 'value'>;

/** "showed", "printed", "failed with"; as a bare verb where `bare`. */
export function verbOf(check: Check, runs: readonly Call[], { label }: Shown, bare: boolean): string {
  if (label === null && runs.every((call) => call.failed)) return bare ? 'fail with' : 'failed with';
  if (check.name.startsWith('`')) return bare ? 'print' : 'printed';
  return bare ? 'show' : 'showed';
}

function labelIn(check: Check, { label }: Shown): string | null {
  if (label === null || saysTheSame(label, check.name)) return null;
  const spoken = spokenLabel(label);
  // A VPN is no value: its state is.
  return /^[A-Z]+$/.test(spoken) ? `${spoken} state` : spoken;
}

const whole = /^\d+$/;

/** "showed the risk score as 29", "showed 19 sends left", "gave \"no signal\"", without the verb. */
export function told(check: Check, one: Shown): string {
  const label = labelIn(check, one);
  const value = quoted(one);
  if (label === null) return value;
  if (whole.test(one.value) && (isMany(label) || isState(label))) return `${one.value} ${label}`;
  if (/ (enabled|active|available|allowed|connected)$/.test(label)) return `${label} as ${value}`;
  return isState(label) ? `${value} as ${label}` : `the ${label} as ${value}`;
}

/** The same of a second reading, where the first one has said what it is of. */
export function toldAgain(check: Check, one: Shown): string {
  const label = labelIn(check, one);
  const isCount = label !== null && whole.test(one.value) && (isMany(label) || isState(label));
  return label === null || isCount || isState(label) ? quoted(one) : `it as ${quoted(one)}`;
}

function quoted({ label, value }: Shown): string {
  const unit = label === null || !/^\d/.test(value) ? null : unitOf(label);
  if (unit !== null) return `${value} ${unit}`;
  return label === null || (value.includes(' ') && !/^[\d$€£]/.test(value)) ? `"${value}"` : value;
}

/** "What did the first risk scan show as the risk score, and what did the last one show?" */
export function askedOfTwo(
  check: Check,
  [one, other]: readonly [Shown, Shown],
  [first, last]: readonly [string, string],
  verb: string,
): string {
  const label = labelIn(check, one);
  const isCount = label !== null && whole.test(one.value) && whole.test(other.value);
  if (isCount && isMany(label)) return `How many ${label} did ${first} ${verb}, and how many did ${last} ${verb}?`;
  if (isCount && isState(label)) return `How many did ${first} ${verb} as ${label}, and how many did ${last}?`;
  const as = label === null ? '' : isState(label) ? ` as ${label}` : ` as the ${label}`;
  return `What did ${first} ${verb}${as}, and what did ${last} ${verb}?`;
}

/** "the first speed test", "the last run of `make`". */
export function runOf(check: Check, which: string): string {
  return nth(which, check.name);
}
