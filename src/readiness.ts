/** What a running pipe needs and found away: each thing by what was last asked of it or written to it, for /readyz. */
import { kindOf, messageOf } from './errors.ts';

export interface Readiness {
  /**
   * Does `work` as it is, and remembers of `what` whether it failed with an error that may pass by itself. What `given`
   * broke off tells nothing.
   */
  attempt<T>(what: string, work: () => Promise<T>, given?: AbortSignal): Promise<T>;
  /** What is away, with the error of the last attempt; null for nothing. */
  away(): string | null;
}

export function createReadiness(): Readiness {
  const failures = new Map<string, string>();
  return {
    async attempt(what, work, given) {
      try {
        const result = await work();
        failures.delete(what);
        return result;
      } catch (error) {
        if (kindOf(error) === 'retry' && given?.aborted !== true) failures.set(what, messageOf(error));
        // Whoever answers that a message or a setting is wrong is there.
        else failures.delete(what);
        throw error;
      }
    },
    away() {
      const lines = [...failures].map(([what, message]) => `${what} is away: ${message}`);
      return lines.length === 0 ? null : lines.join('\n');
    },
  };
}
