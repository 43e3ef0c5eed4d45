/** Asks a ledger for whoever wants to call a model, one agent after another, and lets those wait whose money may come back. */
import { type OperatorError, retry } from '../../errors.ts';
import { pause } from '../../lifecycle.ts';
import type { Budget, BudgetLevel, Reservation, SpendAsk } from './budget.ts';
import { errorOf } from './decision.ts';
import type { Ledger } from './ledger.ts';
import { Turns } from './turns.ts';

/** What other processes settle is seen so late at most; what this one settles wakes at once. */
const pollMs = 250;

interface Waiting {
  ask: SpendAsk;
  /** False once its signal has fired. */
  wanted: boolean;
  resolve(reservation: Reservation): void;
  reject(error: unknown): void;
}

export function reservingFrom(ledger: Ledger): Budget {
  return new ReservingBudget(ledger);
}

class ReservingBudget implements Budget {
  readonly #ledger: Ledger;
  readonly #turns = new Turns<Waiting>();
  readonly #renewing: NodeJS.Timeout;
  /** Fires when waiting may have come to an end. */
  #news = new AbortController();
  #asking: Promise<void> | null = null;
  #isAsking = false;
  #closed = false;
  /** Ids of the calls that this process has reserved for and will settle. */
  readonly #inFlight = new Set<string>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#renewing = setInterval(() => this.#renew(), ledger.leaseMs / 3).unref();
  }

  reserve(ask: SpendAsk, signal: AbortSignal): Promise<Reservation> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (this.#closed) throw closed();
      const settleWith = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          signal.removeEventListener('abort', giveUp);
          settle(value);
        };
      };
      const waiting: Waiting = { ask, wanted: true, resolve: settleWith(resolve), reject: settleWith(reject) };
      const giveUp = () => {
        waiting.wanted = false;
        this.#turns.remove(ask.agent, waiting);
        this.#wake();
        reject(signal.reason);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#turns.add(ask.agent, waiting);
      this.#wake();
      if (!this.#isAsking) this.#asking = this.#askForAll();
    });
  }

  levels(): Promise<BudgetLevel[]> {
    return this.#ledger.levels();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#renewing);
    this.#wake();
    await this.#asking;
    await this.#ledger.close();
  }

  async #askForAll(): Promise<void> {
    this.#isAsking = true;
    while (this.#turns.size > 0) {
      if (this.#closed) this.#refuseAll();
      else if (!(await this.#askInTurn())) await this.#wait();
    }
    // At once: who comes next must not take this round for one that will still see them.
    this.#isAsking = false;
  }

  /**
   * False where all must wait. Who waits for a day's or a month's money is not overtaken: what is dear would else wait
   * for as long as there is anything cheap.
   */
  async #askInTurn(): Promise<boolean> {
    for (const waiting of this.#turns.heads()) {
      const { agent } = waiting.ask;
      const answer = await this.#ledger.ask(waiting.ask).catch((error: unknown) => ({ do: 'fail', error }) as const);
      if (answer.do === 'wait') {
        if (answer.for === 'period') return false;
        continue;
      }
      this.#turns.served(agent, waiting);
      if (answer.do === 'grant') await this.#grant(waiting);
      else waiting.reject(answer.do === 'fail' ? answer.error : errorOf(answer.refusal, answer.since));
      return true;
    }
    return false;
  }

  async #grant(waiting: Waiting): Promise<void> {
    const { callId } = waiting.ask;
    // Given up while the ledger was asked: no call was made. What can't be given back counts as spent.
    if (!waiting.wanted) return await this.#ledger.settle(callId, 0).catch(() => {});
    this.#inFlight.add(callId);
    waiting.resolve({
      settle: async (costUsd) => {
        // First: where settling fails, nobody is to wait for it.
        this.#inFlight.delete(callId);
        await this.#ledger.settle(callId, costUsd);
        this.#wake();
      },
    });
  }

  #refuseAll(): void {
    for (const waiting of this.#turns.heads()) {
      this.#turns.served(waiting.ask.agent, waiting);
      waiting.reject(closed());
    }
  }

  async #wait(): Promise<void> {
    await pause(pollMs, this.#news.signal);
    if (this.#news.signal.aborted) this.#news = new AbortController();
  }

  #wake(): void {
    this.#news.abort();
  }

  /** A renewal that fails costs no money: what is not renewed counts as spent, until it is settled. */
  #renew(): void {
    if (this.#inFlight.size > 0) void this.#ledger.renew([...this.#inFlight]).catch(() => {});
  }
}

function closed(): OperatorError {
  return retry('budget_closed', 'the process stops: this call was not made');
}
