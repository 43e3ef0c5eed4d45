/** The drill of bench/drill-capture.ts in its short form: every crash point once, and the faults that take no time. */
import { expect, it } from 'vitest';
import { drillCapture, drilledPoints } from '../../bench/drill/capture-drill.ts';
import { passingFaults } from '../../bench/drill/capture-faults.ts';
import { faultsOf } from '../../bench/drill/capture-tally.ts';

it('a capture that is killed at every crash point loses no row, doubles none and confirms none too early', async () => {
  const said: string[] = [];
  const say = (sentence: string) => said.push(sentence);
  const faults = [...passingFaults, 'immediate'] as const;
  const tally = await drillCapture({ kills: 0, faultRounds: 1, faults, timeoutMs: 600_000, seed: 5, say });
  expect(faultsOf(tally), said.join('\n')).toEqual([]);
  expect(Object.keys(tally.kills)).toEqual(expect.arrayContaining(drilledPoints));
  expect(tally.samples).toBeGreaterThan(100);
}, 900_000);
