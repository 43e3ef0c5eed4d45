/** What is acknowledged of a partition, on generated histories: see `partition.ts`. */
import { test } from 'vitest';
import { simulatePartition } from './partition.ts';
import { runsOf, simulateMany } from './simulate.ts';

test('whoever owns a partition, in whatever order messages finish: only a finished prefix is acknowledged, none is left out', async () => {
  await simulateMany(runsOf(25_000), simulatePartition);
}, 120_000);
