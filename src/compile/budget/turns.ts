/** Who waits, in the order in which they get a turn: one of each agent, then the next of each. */
export class Turns<T> {
  /** By agent; the one whose turn is next stands first. */
  readonly #queues = new Map<string | null, T[]>();

  get size(): number {
    return [...this.#queues.values()].reduce((sum, { length }) => sum + length, 0);
  }

  add(agent: string | null, waiting: T): void {
    const queue = this.#queues.get(agent);
    if (queue === undefined) this.#queues.set(agent, [waiting]);
    else queue.push(waiting);
  }

  /** The oldest of each agent, from the agent whose turn it is. */
  heads(): T[] {
    return [...this.#queues.values()].map(([head]) => head!);
  }

  /** Had its turn: its agent goes behind the others. */
  served(agent: string | null, waiting: T): void {
    const queue = this.#queues.get(agent) ?? [];
    this.#queues.delete(agent);
    const rest = queue.filter((one) => one !== waiting);
    if (rest.length > 0) this.#queues.set(agent, rest);
  }

  /** Gave up: its agent keeps its place. */
  remove(agent: string | null, waiting: T): void {
    const rest = (this.#queues.get(agent) ?? []).filter((one) => one !== waiting);
    if (rest.length > 0) this.#queues.set(agent, rest);
    else this.#queues.delete(agent);
  }
}
