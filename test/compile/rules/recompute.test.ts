import { describe, expect, it } from 'vitest';
import type { SegmentView } from '../../../src/compile/compiler.ts';
import { agrees } from '../../../src/compile/derivation.ts';
import { recompute } from '../../../src/compile/rules/recompute.ts';
import { candidatesOf } from '../../../src/compile/rules/rules.ts';
import type { Derivation } from '../../../src/records.ts';
import { type Line, viewOf } from './session.ts';
import { booking, parcels, pump, relay, script, standingOrder } from './worlds.ts';

const views = [pump, booking, parcels, relay, script, standingOrder].map(viewOf);

function holds(derivation: Derivation, view: SegmentView): boolean {
  const again = recompute(derivation, view);
  return again !== null && agrees(derivation.op, again, derivation.result);
}

/** The candidate of one operation, with the view that it was found in. */
function find(op: Derivation['op']): { derivation: Derivation; view: SegmentView; lines: Line[] } {
  const worlds = [pump, booking, parcels, relay, script, standingOrder];
  for (const [i, view] of views.entries()) {
    const found = candidatesOf(view).find((one) => one.derivation.op === op);
    if (found !== undefined) return { derivation: found.derivation, view, lines: worlds[i]! };
  }
  throw new Error(`no candidate with ${op}`);
}

const ops = ['change', 'intervention', 'recovery', 'bridge', 'count', 'exclusion', 'difference', 'duration'] as const;

describe('a derivation', () => {
  it('of every candidate, chosen or not, gives its result again', () => {
    const candidates = views.flatMap((view) => candidatesOf(view).map((one) => ({ view, one })));
    expect(candidates.length).toBeGreaterThan(12);
    for (const { view, one } of candidates)
      expect({ ...one.derivation, holds: holds(one.derivation, view) }).toMatchObject({ holds: true });
  });

  it.each(ops)('of a %s does not hold on other turns', (op) => {
    const { derivation, view } = find(op);
    const moved = derivation.operands.map((operand) => ({ ...operand, turn: operand.turn + 1 }));
    expect(holds(derivation, view)).toBe(true);
    expect(holds({ ...derivation, operands: moved }, view)).toBe(false);
  });

  it.each(ops)('of a %s does not give another result', (op) => {
    const { derivation, view } = find(op);
    expect(holds({ ...derivation, result: 'something else 99999 seconds' }, view)).toBe(false);
  });

  it('of a count sees one more', () => {
    const { derivation } = candidatesOf(viewOf(relay)).find((one) => one.derivation.op === 'count')!;
    const more: Line = {
      agent: 'lead',
      tool: 'message.handoff',
      args: { to: 'Reader', content: 'Sum it up, please.' },
    };
    expect(recompute(derivation, viewOf([...relay, more]))).toBe('4');
  });

  it('of what came next sees what came in between', () => {
    for (const param of ['nextFor', 'nextDeed']) {
      const view = viewOf(relay);
      const next = candidatesOf(view).find((one) => one.derivation.params?.[param] !== undefined)!.derivation;
      const [before, after] = next.operands;
      const between: Line[] =
        param === 'nextFor'
          ? [{ agent: 'lead', tool: 'message.handoff', args: { to: 'Reader', content: 'Rest for a while.' } }]
          : [{ agent: 'Reader', tool: 'Reader.act', response: "I typed 'something else' into the search bar." }];
      const at = after!.turn;
      const operands = [before!, { ...after!, turn: at + 1 }];
      expect(holds(next, view)).toBe(true);
      expect(holds({ ...next, operands }, viewOf(relay.toSpliced(at, 0, ...between)))).toBe(false);
    }
  });

  it('of a bridge wants one id in both turns', () => {
    const view = viewOf(parcels);
    const { derivation } = candidatesOf(view).find((one) => one.answer === 'Heron Freight.')!;
    const other = derivation.operands.map((one, i) => (i === 1 ? { ...one, path: 'weight_kg', value: '2.10' } : one));
    expect(holds(derivation, view)).toBe(true);
    expect(holds({ ...derivation, operands: other }, view)).toBe(false);
  });

  it('of an exclusion sees the action that ends it', () => {
    const { derivation } = find('exclusion');
    const later: Line = {
      tool: 'update_parcel',
      args: { parcel_id: '#P4003', note: 'ring twice' },
      response: 'Saved.',
    };
    expect(recompute(derivation, viewOf([...parcels, later]))).toBeNull();
  });

  it('of a change sees that the check was made once more', () => {
    const view = views[0]!;
    const change = candidatesOf(view).find((one) => one.derivation.params?.labels !== undefined)!;
    const again: Line = {
      tool: 'check_pump_status',
      response: 'Pump Mode: auto\nFlow Rate: 9.00 l/min\nInlet Valve: shut',
    };
    const pressure: Line = { tool: 'measure_pressure', response: 'Pressure Reading: 10.00 kg (Low).' };
    expect(holds(change.derivation, viewOf([...pump, again, pressure]))).toBe(false);
  });

  it('of an intervention starts from the action too', () => {
    const { derivation, view } = find('intervention');
    const operands = [derivation.operands[0]!, derivation.operands.at(-1)!];
    expect(holds({ ...derivation, operands }, view)).toBe(false);
  });

  it('of an intervention sees a second action', () => {
    const { derivation } = find('intervention');
    const more = [
      ...pump.slice(0, 4),
      { tool: 'replace_seal', args: { seal: 'S-9' }, response: 'Seal replaced.' },
      ...pump.slice(4),
    ];
    const operands = derivation.operands.map((one) => ({ ...one, turn: one.turn >= 4 ? one.turn + 1 : one.turn }));
    expect(holds({ ...derivation, operands }, viewOf(more))).toBe(false);
  });
});
