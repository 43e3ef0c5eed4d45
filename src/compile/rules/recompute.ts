/**
 * Derives a pair's answer again, from the turns alone. What is compared is the derivation's `result`: whoever holds the
 * turns can check a pair without trusting the compiler that proposed it.
 */
import type { Derivation, Operand } from '../../records.ts';
import type { SegmentView } from '../compiler.ts';
import { type Call, callsOf } from './call.ts';
import { observationsIn } from './check.ts';
import { valueAt } from './flatten.ts';
import { fold } from './text.ts';

/** The result as the turns give it; empty where an operand does not stand in its turn or the operation does not hold. */
export function recompute(derivation: Derivation, view: SegmentView): string {
  const calls = callsOf(view);
  const operands: Resolved[] = [];
  for (const operand of derivation.operands) {
    const call = calls.find((one) => one.index === operand.turn);
    if (call === undefined || !stands(operand, call)) return '';
    operands.push({ ...operand, call });
  }
  const params = derivation.params ?? {};
  return operations[derivation.op]?.(operands, params, calls) ?? '';
}

type Resolved = Operand & { call: Call };
type Operation = (operands: Resolved[], params: Record<string, string>, calls: Call[]) => string | null;

/** Whether an operand's value stands where the operand says. */
function stands({ field, path, value }: Operand, call: Call): boolean {
  const row = call.turn.turn;
  if (field === 'tool') return row.tool === value;
  if (field === 'agent') return row.agent === value;
  if (field === 'time') return row.createdAt === value;
  const whole = field === 'arguments' ? call.turn.arguments : call.turn.response;
  if (path !== null) {
    const at = valueAt(whole, path);
    return at !== null && fold(at).includes(fold(value));
  }
  return fold(textOf(whole)).includes(fold(value));
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.values(value).map(textOf).join('\n');
}

const operations: Partial<Record<Derivation['op'], Operation>> = {
  change(operands, params, calls) {
    const same = calls.filter((call) => call.signature === params.signature);
    const [first, last] = [same[0], same.at(-1)];
    const pairs: string[] = [];
    for (let i = 0; i + 1 < operands.length; i += 2) {
      const [before, after] = [operands[i]!, operands[i + 1]!];
      if (before.call !== first || after.call !== last || before.value === after.value) return null;
      if (!observed(before) || !observed(after)) return null;
      pairs.push(`${before.value} → ${after.value}`);
    }
    return pairs.join('; ');
  },

  intervention(operands, params, calls) {
    const [from, to] = [operands[0]!.call, operands.at(-1)!.call];
    if (from.signature !== params.signature || to.signature !== params.signature) return null;
    if (!observed(operands[0]!) || !observed(operands.at(-1)!)) return null;
    const between = calls.filter((call) => call.rank > from.rank && call.rank < to.rank);
    if (between.some((call) => call.signature === params.signature)) return null;
    return between
      .filter((call) => call.effect === 'changes' && call.failure === null)
      .map((call) => call.tool)
      .join(' → ');
  },

  recovery(operands, _params, calls) {
    const [failed, worked] = operands;
    if (failed?.call.failure === undefined || failed.call.failure === null || worked?.call.failure !== null)
      return null;
    if (worked.call.tool !== failed.call.tool || worked.call.rank <= failed.call.rank) return null;
    if (!calls.includes(worked.call)) return null;
    return `${failed.call.failure} → ${worked.value}`;
  },
};

function observed(operand: Resolved): boolean {
  return observationsIn(operand.call).some((one) => one.value === operand.value);
}
