/** What is written beside a committed offset: who works on the partition, and what is finished beyond the offset. */

export interface CommitNote {
  /** The group's member that works on the partition; null when it is free to be taken. */
  holder: string | null;
  /** As {@link AckWindow} reads them. */
  finished: Uint8Array;
  /** Deliveries without an outcome so far, by how far the message lies beyond the committed offset. */
  begun: [beyond: number, deliveries: number][];
}

const spec = 1;
/** So that it fits beside the commit together with the bits of a full window. */
const mostBegun = 64;

export function writeNote({ holder, finished, begun }: CommitNote): string {
  return JSON.stringify({
    v: spec,
    holder,
    done: Buffer.from(finished).toString('base64'),
    begun: begun.slice(0, mostBegun),
  });
}

/**
 * Anything else than a note of ours, such as what the tools of the broker leave at a reset of offsets, means: nobody
 * works on it, nothing beyond is finished. At worst finished messages are delivered again.
 */
export function readNote(text: string | null): CommitNote {
  const free: CommitNote = { holder: null, finished: new Uint8Array(), begun: [] };
  try {
    const note: unknown = JSON.parse(text ?? '');
    if (typeof note !== 'object' || note === null) return free;
    const { v, holder, done, begun } = note as Record<string, unknown>;
    if (v !== spec || typeof done !== 'string') return free;
    return {
      holder: typeof holder === 'string' ? holder : null,
      finished: Buffer.from(done, 'base64'),
      begun: Array.isArray(begun) ? (begun as CommitNote['begun']) : [],
    };
  } catch {
    return free;
  }
}
