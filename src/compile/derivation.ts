/**
 * Running a derivation again. The operations that a model may declare are here; those that only rules declare are
 * theirs, and the compile stage is given one function that knows all it needs.
 */
import { type Derivation, microsOf, type Operand } from '../records.ts';
import type { RenderedTurn, SegmentView } from './compiler.ts';
import { fold } from './fold.ts';
import { normalNumber, standsIn } from './mentions.ts';
import { createView } from './segment.ts';

/** The result's text; null where the operation can't be run on what it names. */
export type Recompute = (derivation: Derivation, view: SegmentView) => string | null;

/** Selects calls over the whole session: all that are given must hold. */
interface Selector {
  /** Names of tools, separated by commas. */
  tool?: string;
  agent?: string;
  /** Text that the turn's rendering holds, white space folded, case ignored. */
  contains?: string;
}

/**
 * - `count` (params {@link Selector}): turns of the session that the selector chooses.
 * - `difference`: of two numbers, without its sign, exact in decimals.
 * - `duration`: seconds between the times of the first and the last operand's turns.
 * - `order` (params `pick`: `first` | `last`): the operand whose turn stands first or last.
 * - `exclusion` (params {@link Selector}): the one operand that no selected turn names.
 */
export const recomputeShared: Recompute = (derivation, view) => {
  switch (derivation.op) {
    case 'count':
      return count(derivation, view);
    case 'difference':
      return difference(derivation.operands);
    case 'duration':
      return duration(derivation.operands, view);
    case 'order':
      return order(derivation);
    case 'exclusion':
      return exclusion(derivation, view);
    default:
      return null;
  }
};

/** Whether what was claimed is what came out, written differently perhaps (`1,024`, `three`, `1 h 3 min`). */
export function agrees(op: Derivation['op'], recomputed: string, claimed: string): boolean {
  if (op === 'duration') return agreesAsDuration(Number(recomputed), claimed);
  if (fold(recomputed).toLowerCase() === fold(claimed).toLowerCase()) return true;
  const number = /^-?\d[\d,]*(\.\d+)?$/;
  if (!number.test(recomputed)) return false;
  const said = smallNumbers.indexOf(claimed.trim().toLowerCase());
  const digits = said === -1 ? /-?\d[\d,]*(\.\d+)?/.exec(claimed)?.[0] : String(said);
  return digits !== undefined && normalNumber(digits) === normalNumber(recomputed);
}

export const smallNumbers =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'.split(
    ' ',
  );

/** The field of a turn as text, or the value at the operand's path within it; undefined where there is none. */
export function operandText(operand: Operand, view: SegmentView): string | undefined {
  const turn = view.turns.find(({ index }) => index === operand.turn);
  if (turn === undefined) return undefined;
  const whole = fieldOf(turn, operand.field);
  if (operand.path === null || operand.path === '') return whole.text;
  const at = valueAt(whole.value, operand.path);
  if (at === undefined) return undefined;
  return typeof at === 'object' && at !== null ? JSON.stringify(at) : String(at);
}

/** Whether the operand's value stands where it says: at the path, or within the field's text. */
export function operandStands(operand: Operand, view: SegmentView): boolean {
  const text = operandText(operand, view);
  const value = fold(operand.value).toLowerCase();
  return text !== undefined && value !== '' && standsIn(fold(text).toLowerCase(), value);
}

function fieldOf(turn: RenderedTurn, field: Operand['field']): { text: string; value: unknown } {
  if (field === 'tool') return { text: turn.turn.tool ?? '', value: null };
  if (field === 'agent') return { text: turn.turn.agent ?? '', value: null };
  if (field === 'time') return { text: turn.turn.createdAt ?? '', value: null };
  // What the rendering shows and what the row says may differ by escapes: either may be quoted.
  return { text: `${turn.text}\n${turn.turn[field] ?? ''}`, value: turn[field] };
}

function valueAt(value: unknown, path: string): unknown {
  let at = value;
  for (const key of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

function count({ scope, params }: Derivation, view: SegmentView): string | null {
  if (scope !== 'session' || !isSelector(params)) return null;
  return String(selected(params, view).length);
}

function difference(operands: readonly Operand[]): string | null {
  const [a, b] = operands.map(({ value }) => decimalOf(value));
  if (operands.length !== 2 || a === undefined || b === undefined || a === null || b === null) return null;
  const scale = Math.max(a.scale, b.scale);
  const units = (n: Decimal) => n.units * 10n ** BigInt(scale - n.scale);
  const left = units(b) - units(a);
  return decimalText({ units: left < 0n ? -left : left, scale });
}

interface Decimal {
  units: bigint;
  scale: number;
}

function decimalOf(text: string): Decimal | null {
  const match = /-?\d[\d,]*(?:\.(\d{1,30}))?/.exec(text);
  if (match === null || match[0].length > 60) return null;
  return { units: BigInt(match[0].replace(/[,.]/g, '')), scale: match[1]?.length ?? 0 };
}

function decimalText({ units, scale }: Decimal): string {
  const digits = units.toString().padStart(scale + 1, '0');
  return scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function duration(operands: readonly Operand[], view: SegmentView): string | null {
  const times = operands.map(({ turn }) => timeOf(view.turns.find(({ index }) => index === turn)));
  const first = times[0];
  const last = times.at(-1);
  if (times.length < 2 || first == null || last == null) return null;
  return String(Math.abs(last - first) / 1e6);
}

function timeOf(turn: RenderedTurn | undefined): number | null {
  if (turn === undefined) return null;
  const at = turn.turn.createdAt === null ? turn.turn.committedAt : microsOf(turn.turn.createdAt);
  return at !== null && Number.isFinite(at) ? at : null;
}

const unitSeconds: Record<string, number> = { d: 86_400, h: 3_600, m: 60, s: 1 };

/** Equal to within one of the smallest unit that is stated: "3 minutes" for 175 s and for 185 s. */
function agreesAsDuration(seconds: number, claimed: string): boolean {
  const stated = [...claimed.matchAll(/(\d+(?:\.\d+)?)\s*(d|h|m|s)(?!s\b)[a-z]*/gi)];
  if (stated.length === 0) return false;
  let total = 0;
  let smallest = Number.POSITIVE_INFINITY;
  for (const [, amount = '0', unit = 's'] of stated) {
    const size = unitSeconds[unit.toLowerCase()] ?? 1;
    total += Number(amount) * size;
    smallest = Math.min(smallest, size / 10 ** (amount.split('.')[1]?.length ?? 0));
  }
  return Math.abs(total - seconds) < smallest;
}

function order({ operands, params }: Derivation): string | null {
  const byTurn = operands.toSorted((a, b) => a.turn - b.turn);
  const turns = new Set(operands.map(({ turn }) => turn));
  // Two values of one turn have no order.
  if (operands.length < 2 || turns.size !== operands.length) return null;
  return (params?.pick === 'last' ? byTurn.at(-1) : byTurn[0])?.value ?? null;
}

function exclusion({ operands, params, scope }: Derivation, view: SegmentView): string | null {
  if (scope !== 'session' || operands.length < 2 || !isSelector(params)) return null;
  const texts = selected(params, view).map((turn) => fold(turn.text).toLowerCase());
  // A selector that chooses nothing excludes everything: that says nothing about any candidate.
  if (texts.length === 0) return null;
  const left = operands.filter(({ value }) => !texts.some((text) => standsIn(text, fold(value).toLowerCase())));
  return left.length === 1 ? left[0]!.value : null;
}

function isSelector(params: Record<string, string> | undefined): params is Record<string, string> & Selector {
  return Boolean(params?.tool || params?.agent || params?.contains);
}

const wholeViews = new WeakMap<object, SegmentView>();

/** Over all turns of the trajectory, unclipped, whichever window the view shows. */
function selected({ tool, agent, contains }: Selector, view: SegmentView): RenderedTurn[] {
  let whole = wholeViews.get(view.trajectory);
  if (whole === undefined) {
    whole = createView(view.trajectory);
    wholeViews.set(view.trajectory, whole);
  }
  const tools = tool?.split(',').map((name) => name.trim());
  const part = contains === undefined ? undefined : fold(contains).toLowerCase();
  return whole.turns.filter(
    (turn) =>
      (tools === undefined || tools.includes(turn.turn.tool ?? '')) &&
      (agent === undefined || turn.turn.agent === agent) &&
      (part === undefined || standsIn(fold(turn.text).toLowerCase(), part)),
  );
}
