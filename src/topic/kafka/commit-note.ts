/** What is written beside a committed offset: who works on the partition, and what is finished beyond the offset. */

export interface CommitNote {
  /** The group's member that works on the partition; null when it is free to be taken. */
  holder: string | null;
  /** As {@link AckWindow} reads them. */
  finished: Uint8Array;
}

const spec = 1;

export function writeNote({ holder, finished }: CommitNote): string {
  return JSON.stringify({ v: spec, holder, done: Buffer.from(finished).toString('base64') });
}

/**
 * Anything else than a note of ours, such as what the tools of the broker leave at a reset of offsets, means: nobody
 * works on it, nothing beyond is finished. At worst finished messages are delivered again.
 */
export function readNote(text: string | null): CommitNote {
  const free: CommitNote = { holder: null, finished: new Uint8Array() };
  try {
    const note: unknown = JSON.parse(text ?? '');
    if (typeof note !== 'object' || note === null) return free;
    const { v, holder, done } = note as Record<string, unknown>;
    if (v !== spec || typeof done !== 'string') return free;
    return { holder: typeof holder === 'string' ? holder : null, finished: Buffer.from(done, 'base64') };
  } catch {
    return free;
  }
}
