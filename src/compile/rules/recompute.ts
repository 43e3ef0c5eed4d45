/**
 * Derives a pair's answer again, from the turns alone. What is compared is the derivation's `result`: whoever holds the
 * turns can check a pair without trusting the compiler that proposed it.
 */
import type { Derivation } from '../../records.ts';
import type { SegmentView } from '../compiler.ts';
import { operandStands, recomputeShared } from '../derivation.ts';
import { callsOf } from './call.ts';
import { operations, type Resolved } from './operations.ts';

/** The result as the turns give it; null where an operand does not stand in its turn or the operation does not hold. */
export function recompute(derivation: Derivation, view: SegmentView): string | null {
  const calls = callsOf(view);
  const operands: Resolved[] = [];
  for (const operand of derivation.operands) {
    const call = calls.find((one) => one.index === operand.turn);
    if (call === undefined || !operandStands(operand, view)) return null;
    operands.push({ ...operand, call });
  }
  const operation = operations[derivation.op];
  if (operation === undefined) return recomputeShared(derivation, view);
  return operation({ operands, params: derivation.params ?? {}, calls, view });
}
