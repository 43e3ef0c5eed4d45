/** Runs histories by the thousand, and tells of the shortest one that breaks a promise. */
import fc from 'fast-check';

const { TC_SIMULATOR_SEED: seedText, TC_SIMULATOR_RUNS: runsText } = process.env;
/** Another one each time, unless one is set: what CI ran yesterday need not be run again. */
export const seed = seedText === undefined ? Date.now() & 0x7fffffff : Number(seedText);

/** A number for each event. Shrinking leaves events out, and the others as they were. */
const event = fc.noShrink(fc.noBias(fc.integer({ min: 0, max: 2 ** 32 - 1 })));
const numbersOf = fc.array(event, { minLength: 1, maxLength: 40, size: 'max' });

export function runsOf(byDefault: number): number {
  return runsText === undefined ? byDefault : Number(runsText);
}

/**
 * @param run throws where a promise is broken; `told` takes the events down
 * @throws Error with the seed, and the shortest history that was found.
 */
export async function simulateMany(
  runs: number,
  run: (numbers: readonly number[], told?: string[]) => Promise<void>,
): Promise<void> {
  const property = fc.asyncProperty(numbersOf, (numbers) => run(numbers));
  const details = await fc.check(property, { seed, numRuns: runs });
  if (!details.failed) return;
  const numbers = details.counterexample?.[0] ?? [];
  const told: string[] = [];
  const error = await run(numbers, told).then(
    () => details.errorInstance,
    (again: unknown) => again,
  );
  const said = error instanceof Error ? (error.name === 'Error' ? error.message : error.stack) : String(error);
  throw new Error(
    [
      `history ${details.numRuns} of seed ${seed}: ${said}`,
      ...told.map((event, i) => `  ${i + 1}. ${event}`),
      `again: TC_SIMULATOR_SEED=${seed} TC_SIMULATOR_RUNS=${details.numRuns}`,
    ].join('\n'),
  );
}
