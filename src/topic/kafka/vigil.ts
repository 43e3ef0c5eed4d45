/** Watches whether a member may still count on its group: without a sign for a session's time, it may have lost everything. */
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../log.ts';

export interface Vigil {
  start(): void;
  /** A sign of life came. */
  alive(): void;
  stop(): void;
}

export interface VigilOptions {
  sessionTimeoutMs: number;
  /**
   * Asks the brokers past the member's own connection. kafkajs sends no heartbeats while it joins, and a join lasts as
   * long as the group waits for a member that died; those who wait in it lose nothing.
   */
  isMember(): Promise<boolean>;
  onSilence(): void;
  log: Logger;
}

export function keepVigil({ sessionTimeoutMs, isMember, onSilence, log }: VigilOptions): Vigil {
  let aliveAt = performance.now();
  let asking = false;
  let watching: NodeJS.Timeout | undefined;

  async function ask(): Promise<void> {
    if (asking) return;
    asking = true;
    // What is true when the answer is made was true when it was asked for.
    const askedAt = performance.now();
    try {
      if (await isMember()) aliveAt = Math.max(aliveAt, askedAt);
    } catch (error) {
      log.debug({ error: messageOf(error) }, 'asking whether the group still knows this member failed');
    }
    asking = false;
  }

  function look(): void {
    const silentMs = performance.now() - aliveAt;
    if (silentMs > sessionTimeoutMs) onSilence();
    else if (silentMs > sessionTimeoutMs / 3) void ask();
  }

  return {
    start: () => {
      clearInterval(watching);
      watching = setInterval(look, Math.max(100, sessionTimeoutMs / 20));
    },
    alive: () => {
      aliveAt = performance.now();
    },
    stop: () => clearInterval(watching),
  };
}
