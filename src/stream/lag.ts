/**
 * How long ago the server was where the stream is now, by the server's clock: what it answered when it was asked for its
 * position and its time is kept until the stream has come as far. Times of this machine come in by a clock that is never
 * set, and only to say how long ago an answer was.
 */
import type { Lsn, Micros } from '../records.ts';
import type { Probe } from './watermark.ts';

/** The server's position is ahead of what can have arrived, always: so long nothing is late. */
const settleMs = 250;
/** A server that answered nothing for so long may be anywhere by now. */
const silentMs = 5_000;
/** Answers may lie apart by this share of how long the later one has waited, which is all that their lag is off by. */
const spacing = 0.01;

export class StreamLag {
  /** Not reached yet, earliest first. */
  #waiting: Probe[] = [];
  #newest: { at: Micros; heardMs: number } | null = null;
  /** When the server was last known to be where the stream is. */
  #reachedAt: Micros | null = null;

  /** The server has answered at `heardMs`. To be followed by {@link reached} with where the stream is. */
  probed(probe: Probe, heardMs: number): void {
    this.#newest = { at: probe.at, heardMs };
    this.#waiting = thinned([...this.#waiting, probe], probe);
  }

  reached(lsn: Lsn): void {
    while (this.#waiting[0] !== undefined && this.#waiting[0].lsn <= lsn) this.#passed(this.#waiting.shift()!.at);
  }

  /** A commit was received: the server was there when it was made. */
  committed(committedAt: Micros): void {
    this.#passed(committedAt);
  }

  /** Milliseconds; null before the first answer. */
  at(nowMs: number): number | null {
    if (this.#newest === null) return null;
    const sinceMs = nowMs - this.#newest.heardMs;
    const serverNow = this.#newest.at + sinceMs * 1000;
    const [first] = this.#waiting;
    const isLate = first === undefined ? sinceMs >= silentMs : serverNow - first.at >= settleMs * 1000;
    const since = this.#reachedAt ?? first?.at;
    return isLate && since !== undefined ? Math.max(0, (serverNow - since) / 1000) : 0;
  }

  #passed(at: Micros): void {
    if (this.#reachedAt === null || at > this.#reachedAt) this.#reachedAt = at;
  }
}

/** However long the stream is held up, some hundred answers: those that have waited long lie further apart. */
function thinned(waiting: readonly Probe[], { at: now }: Probe): Probe[] {
  const kept: Probe[] = [];
  waiting.forEach((probe, i) => {
    const [before, after] = [kept.at(-1), waiting[i + 1]];
    const isBetween = before !== undefined && after !== undefined;
    if (isBetween && after.at - before.at <= spacing * (now - after.at)) return;
    kept.push(probe);
  });
  return kept;
}
