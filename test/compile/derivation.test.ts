import { describe, expect, it } from 'vitest';
import { agrees, operandStands, recomputeShared } from '../../src/compile/derivation.ts';
import { createView, segmentTrajectory } from '../../src/compile/segment.ts';
import type { Derivation, Operand } from '../../src/records.ts';
import { parcelRows, trajectoryOf } from '../support/trajectories.ts';

const view = createView(trajectoryOf(parcelRows));
const at = (turn: number, value: string, field: Operand['field'] = 'response'): Operand => ({
  turn,
  field,
  path: null,
  value,
});
const run = (derivation: Partial<Derivation>) =>
  recomputeShared({ op: 'count', operands: [], scope: 'session', result: '', ...derivation }, view);

describe('a derivation run again', () => {
  it('counts the turns that a selector chooses', () => {
    expect(run({ params: { tool: 'weigh_parcel' } })).toBe('2');
    expect(run({ params: { contains: 'px-4417' } })).toBe('4');
    expect(run({ params: { tool: 'weigh_parcel, find_parcel', contains: 'S1' } })).toBe('2');
  });

  it('counts over the whole session, not over the window that a model saw', () => {
    const windows = segmentTrajectory(trajectoryOf(parcelRows), { windowTokens: 50 });
    expect(windows.length).toBeGreaterThan(1);
    const derivation: Derivation = {
      op: 'count',
      operands: [],
      scope: 'session',
      result: '2',
      params: { tool: 'weigh_parcel' },
    };
    for (const window of windows) expect(recomputeShared(derivation, window)).toBe('2');
  });

  it('gives nothing where nothing selects, or where it was not over the session', () => {
    expect(run({})).toBeNull();
    expect(run({ params: { tool: '' } })).toBeNull();
    expect(run({ scope: 'operands', params: { tool: 'weigh_parcel' } })).toBeNull();
  });

  it('subtracts decimals exactly', () => {
    const difference = (a: string, b: string) => run({ op: 'difference', operands: [at(2, a), at(8, b)] });
    expect(difference('12.40', '12.95')).toBe('0.55');
    expect(difference('0.3', '0.1')).toBe('0.2');
    expect(difference('9007199254740993', '1')).toBe('9007199254740992');
    expect(difference('1,024.50 USD', '24.5')).toBe('1000.00');
    expect(difference('-5', '5')).toBe('10');
    expect(difference('none', '5')).toBeNull();
  });

  it('measures between the rows’ times', () => {
    expect(run({ op: 'duration', operands: [at(2, '', 'time'), at(8, '', 'time')] })).toBe('6');
    expect(run({ op: 'duration', operands: [at(2, '', 'time')] })).toBeNull();
  });

  it('orders by turn, and not within one turn', () => {
    const operands = [at(6, 'depot'), at(3, 'shelf')];
    expect(run({ op: 'order', operands })).toBe('shelf');
    expect(run({ op: 'order', operands, params: { pick: 'last' } })).toBe('depot');
    expect(run({ op: 'order', operands: [at(3, 'shelf'), at(3, 'depot')] })).toBeNull();
  });

  it('excludes what the chosen turns name', () => {
    const operands = [at(1, 'C-71'), at(1, 'C-90')];
    expect(run({ op: 'exclusion', operands, params: { tool: 'read_complaint' } })).toBe('C-90');
    expect(run({ op: 'exclusion', operands, params: { tool: 'list_open_cases' } })).toBeNull();
    expect(run({ op: 'exclusion', operands, params: { tool: 'no_such_tool' } })).toBeNull();
  });

  it('knows none of the operations that rules alone declare', () => {
    expect(run({ op: 'bridge' })).toBeNull();
  });
});

describe('an operand', () => {
  it('stands at its path, or anywhere in its field', () => {
    expect(operandStands({ turn: 2, field: 'response', path: 'kilograms', value: '12.40' }, view)).toBe(true);
    expect(operandStands({ turn: 2, field: 'response', path: 'scale', value: '12.40' }, view)).toBe(false);
    expect(operandStands({ turn: 2, field: 'response', path: '__proto__', value: '12.40' }, view)).toBe(false);
    expect(operandStands(at(2, '12.40'), view)).toBe(true);
    expect(operandStands(at(2, '2.40'), view)).toBe(false);
    expect(operandStands(at(2, 'weigh_parcel', 'tool'), view)).toBe(true);
    expect(operandStands(at(99, '12.40'), view)).toBe(false);
  });
});

describe('what was claimed', () => {
  it.each([
    ['difference', '0.55', '0.550 kg', true],
    ['difference', '1024', '1,024', true],
    ['difference', '0.55', '0.56', false],
    ['count', '3', 'three', true],
    ['count', '3', '30', false],
    ['order', 'B7', 'b7', true],
    ['order', 'B7', 'B8', false],
    ['duration', '185', '3 minutes', true],
    ['duration', '185', '3 min 5 s', true],
    ['duration', '185', '4 min 30 s', false],
    ['duration', '3780', '1 h 3 min', true],
    ['duration', '185', 'a while', false],
  ] as const)('of a %s: %s is %s: %s', (op, recomputed, claimed, expected) => {
    expect(agrees(op, recomputed, claimed)).toBe(expected);
  });
});
