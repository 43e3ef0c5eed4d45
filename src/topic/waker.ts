import { pause } from '../lifecycle.ts';

/** A wait that ends early when there is news. News that comes while nobody waits ends the next wait at once. */
export class Waker {
  #news = new AbortController();

  wake(): void {
    this.#news.abort();
  }

  async wait(ms: number): Promise<void> {
    await pause(ms, this.#news.signal);
    if (this.#news.signal.aborted) this.#news = new AbortController();
  }
}
