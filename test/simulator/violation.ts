/** What a simulator found: the promise that was broken. */
class Violation extends Error {}

export function demand(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Violation(promise);
}
