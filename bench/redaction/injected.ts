/** Values made by seed, put into rows of recorded sessions: beside what stood there, under a key or in a sentence. */

import { Dice } from '../../src/demo/dice.ts';
import type { Trajectory, Turn } from '../../src/records.ts';
import { type Maker, makers, secretPartOf } from './corpus-values.ts';

export interface Injected {
  trajectory: Trajectory;
  canaries: { kind: string; value: string }[];
}

const injectedKinds = [
  'CARD',
  'PASSPORT',
  'NHS_NUMBER',
  'NINO',
  'SECRET',
  'API_KEY',
  'JWT',
  'PRIVATE_KEY',
  'CONNECTION_STRING',
  'CREDENTIAL_URL',
];

/** One canary of each kind for every trajectory. */
export function inject(trajectories: readonly Trajectory[], seed: number): Injected[] {
  const dice = new Dice(seed);
  const chosen = makers.filter(({ kind }) => injectedKinds.includes(kind));
  return trajectories.map((trajectory) => {
    const turns = [...trajectory.turns];
    const canaries = chosen.map((maker) => {
      const value = maker.make(dice);
      const at = dice.int(0, turns.length - 1);
      turns[at] = withCanary(turns[at]!, maker, value, dice);
      return { kind: maker.kind, value: secretPartOf(maker, value) };
    });
    return { trajectory: { ...trajectory, turns }, canaries };
  });
}

function withCanary(turn: Turn, maker: Maker, value: string, dice: Dice): Turn {
  const response: unknown = JSON.parse(turn.response ?? 'null');
  const sentence = `${dice.pick(maker.cues)} ${value}`;
  const key = dice.pick(maker.keys);
  return { ...turn, response: JSON.stringify(joined(response, key, value, sentence, dice)) };
}

function joined(response: unknown, key: string, value: string, sentence: string, dice: Dice): unknown {
  if (Array.isArray(response)) return [...response, { [key]: value }];
  if (typeof response === 'object' && response !== null) {
    return dice.chance(0.5)
      ? { ...response, [key]: value }
      : { ...response, note: `Also noted: ${sentence}, as asked.` };
  }
  return `${String(response ?? '')}\nAlso noted: ${sentence}\nNothing else.`;
}
