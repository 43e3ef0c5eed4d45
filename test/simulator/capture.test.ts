/** Promises P1 to P3 of the pure core, on histories by the hundred thousand: see `history.ts`. */
import { test } from 'vitest';
import { simulate } from './history.ts';
import { runsOf, simulateMany } from './simulate.ts';

test('whatever commits, arrives, crashes and comes again: each row is in one part, and the parts are those of the rules', async () => {
  await simulateMany(runsOf(100_000), simulate);
}, 300_000);
