/** The first SIGINT or SIGTERM drains, the second aborts, a third ends the process as if nobody listened. */
export interface StopSignals {
  drain: AbortSignal;
  abort: AbortSignal;
  release(): void;
}

const finishing = 'stopping: what is in work is finished first; again to give it up (nothing is lost either way)';

/** Of a command that a signal simply ends. */
export function unheardStop(): StopSignals {
  const { signal } = new AbortController();
  return { drain: signal, abort: signal, release: () => {} };
}

export function listenForStop(note: (line: string) => void, stopping: string | null = finishing): StopSignals {
  const drain = new AbortController();
  const abort = new AbortController();
  const onSignal = () => {
    if (!drain.signal.aborted) {
      if (stopping !== null) note(stopping);
      drain.abort();
    } else {
      release();
      abort.abort();
    }
  };
  const release = () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return { drain: drain.signal, abort: abort.signal, release };
}

const graceMs = 500;

/** A connection that nobody answers would keep the process; without one it ends before that. */
export function leaveSoon(): void {
  setTimeout(() => process.exit(), graceMs).unref();
}
