/**
 * What calls may cost and did cost, kept where every process that spends sees it.
 *
 *   asked ─▶ reserved ─▶ settled: what it did cost is spent
 *     │          ├─────▶ unknown, or its process is gone: what was reserved is spent
 *     ▼          ▼
 *   refused    (in flight: counts against every cap, and may come back)
 *
 * Nothing is given back because time has passed: the call may have been billed. A process renews what it has in flight;
 * what is no longer renewed counts as spent; a settlement that comes within a day corrects it after all.
 *
 * Days and months are those of the clock at the moment of asking; each has a count of its own. A clock that is set back
 * finds the counts of that day and month as it left them. Caps are not stored: each process holds its own spending to its
 * own caps, and one that starts with other caps goes on from the same counts.
 */
import { addToPeriods, type Steps, spend, spentIn } from './accounts.ts';
import type { BudgetLevel, SpendAsk } from './budget.ts';
import { dayOf, decide, monthOf, type Refusal, type Standing } from './decision.ts';
import type { LedgerTables } from './ledger-schema.ts';
import { type BudgetLimits, type Caps, capsOf, nanoOf, usdOf } from './limits.ts';
import { tidy } from './tidy.ts';

/** Where a ledger lies. */
export interface LedgerStore {
  readonly tables: LedgerTables;
  /**
   * Resolves once what was done is durable. It may be done more than once: where it is unknown whether a commit arrived.
   * Whoever writes a period first keeps all others from it until the end.
   */
  transaction<T>(doing: string, steps: (now: Date) => Steps<T>): Promise<T>;
  /** The same, once and now or not at all: what only wants to know does not wait for a server that is away. */
  glance<T>(doing: string, steps: (now: Date) => Steps<T>): Promise<T>;
  close(): Promise<void>;
}

export interface LedgerOptions {
  limits: BudgetLimits;
  /** Hears once a period that four fifths of its cap are spent; again where the cap was raised since. */
  onWarning?: (level: BudgetLevel) => void;
  /** How long a process that is not heard of counts as alive. Default 30 s. */
  leaseMs?: number;
}

export type LedgerAnswer =
  | { do: 'grant' }
  | { do: 'wait'; for: 'trajectory' | 'period' }
  | { do: 'refuse'; refusal: Refusal; since: Date };

interface Asked {
  callId: string;
  trajectoryId: string;
  /** Nano-dollars. */
  amount: number;
}

const warnAtShare = 0.8;

/** Written, not read: from here to the end no other process decides about this day or month. */
const lockingSpent: typeof spentIn = (periods, at) => addToPeriods(periods, { ...at, amount: 0 });

export class Ledger {
  readonly leaseMs: number;
  readonly #store: LedgerStore;
  readonly #limits: BudgetLimits;
  readonly #caps: Caps;
  readonly #onWarning: (level: BudgetLevel) => void;
  #tidiedOn = '';

  constructor(store: LedgerStore, { limits, onWarning = () => {}, leaseMs = 30_000 }: LedgerOptions) {
    this.#store = store;
    this.#limits = limits;
    this.#caps = capsOf(limits);
    this.#onWarning = onWarning;
    this.leaseMs = leaseMs;
  }

  async ask({ callId, trajectoryId, maxUsd }: SpendAsk): Promise<LedgerAnswer> {
    const asked = { callId, trajectoryId, amount: maxUsd === null ? 0 : nanoOf(maxUsd) };
    const { answer, warnings } = await this.#store.transaction('reserve in', (now) => this.#answer(asked, now));
    for (const level of warnings) this.#onWarning(level);
    return answer;
  }

  /** Null: not known, so all that was reserved is spent. Settling twice changes nothing. */
  async settle(callId: string, costUsd: number | null): Promise<void> {
    const { tables } = this.#store;
    await this.#store.transaction('settle in', function* (now) {
      const [row] = yield {
        sql: `DELETE FROM ${tables.reservations} WHERE call_id = $1 RETURNING trajectory_id, amount, day, month`,
        values: [callId],
      };
      if (row === undefined) return;
      yield* spend(tables, row, costUsd === null ? Number(row.amount) : nanoOf(costUsd), now);
    });
  }

  /** Whoever reserved for these calls is alive, and what it reserved may come back. */
  async renew(callIds: readonly string[]): Promise<void> {
    const { tables } = this.#store;
    const until = (now: Date) => now.getTime() + this.leaseMs;
    const ids = callIds.map((_, at) => `$${at + 2}`).join(', ');
    await this.#store.transaction('renew reservations in', function* (now) {
      yield {
        sql: `UPDATE ${tables.reservations} SET alive_until = $1 WHERE call_id IN (${ids})`,
        values: [until(now), ...callIds],
      };
    });
  }

  async levels(): Promise<BudgetLevel[]> {
    const { standing, now } = await this.#store.glance('read', (now) => this.#standing('', '', now, spentIn));
    return (['day', 'month'] as const).map((scope) => this.#levelOf(scope, standing, now));
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  *#answer(asked: Asked, now: Date): Steps<{ answer: LedgerAnswer; warnings: BudgetLevel[] }> {
    yield* this.#tidyDaily(now);
    const { callId, trajectoryId, amount } = asked;
    const { standing, isReserved } = yield* this.#standing(trajectoryId, callId, now);
    const warnings = yield* this.#warnings(standing, now);
    // It was committed although nobody heard of that.
    if (isReserved) return { answer: { do: 'grant' }, warnings };
    const verdict = decide(amount, standing, this.#caps, now);
    switch (verdict.do) {
      case 'wait':
        return { answer: { do: 'wait', for: verdict.for === 'trajectory' ? 'trajectory' : 'period' }, warnings };
      case 'refuse': {
        const { refusal } = verdict;
        const since = refusal.resumeAt === null ? now : yield* this.#refuse(trajectoryId, now);
        return { answer: { do: 'refuse', refusal, since }, warnings };
      }
      case 'grant':
        yield* this.#reserve(asked, now);
        return { answer: verdict, warnings };
    }
  }

  *#standing(
    trajectoryId: string,
    callId: string,
    now: Date,
    count: typeof spentIn = lockingSpent,
  ): Steps<{ standing: Standing; isReserved: boolean; now: Date }> {
    const { periods, reservations, trajectories } = this.#store.tables;
    const [day, month] = [dayOf(now), monthOf(now)];
    const counts = yield* count(periods, { day, month });
    const inFlight = 'alive_until > $4';
    const [amounts = {}] = yield {
      sql: `SELECT sum(amount) FILTER (WHERE day = $1 AND ${inFlight}) AS day,
                   sum(amount) FILTER (WHERE day = $1 AND NOT ${inFlight}) AS day_gone,
                   sum(amount) FILTER (WHERE month = $2 AND ${inFlight}) AS month,
                   sum(amount) FILTER (WHERE month = $2 AND NOT ${inFlight}) AS month_gone,
                   sum(amount) FILTER (WHERE trajectory_id = $3 AND ${inFlight}) AS trajectory,
                   sum(amount) FILTER (WHERE trajectory_id = $3 AND NOT ${inFlight}) AS trajectory_gone,
                   count(*) FILTER (WHERE call_id = $5) AS mine,
                   (SELECT spent FROM ${trajectories} WHERE id = $3) AS trajectory_spent
              FROM ${reservations}`,
      values: [day, month, trajectoryId, now.getTime(), callId],
    };
    const spendOf = (scope: 'day' | 'month' | 'trajectory', settled: unknown) => ({
      spent: Number(settled ?? 0) + Number(amounts[`${scope}_gone`] ?? 0),
      inFlight: Number(amounts[scope] ?? 0),
    });
    const standing = {
      day: spendOf('day', counts.day),
      month: spendOf('month', counts.month),
      trajectory: spendOf('trajectory', amounts.trajectory_spent),
    };
    return { standing, isReserved: Number(amounts.mine) > 0, now };
  }

  *#reserve({ callId, trajectoryId, amount }: Asked, now: Date): Steps<void> {
    const { reservations, refused } = this.#store.tables;
    yield {
      sql: `INSERT INTO ${reservations} (call_id, trajectory_id, amount, day, month, alive_until)
              VALUES ($1, $2, $3, $4, $5, $6)`,
      values: [callId, trajectoryId, amount, dayOf(now), monthOf(now), now.getTime() + this.leaseMs],
    };
    yield { sql: `DELETE FROM ${refused} WHERE trajectory_id = $1`, values: [trajectoryId] };
  }

  /** When this trajectory was refused first. */
  *#refuse(trajectoryId: string, now: Date): Steps<Date> {
    const [row] = yield {
      sql: `INSERT INTO ${this.#store.tables.refused} (trajectory_id, since, latest) VALUES ($1, $2, $2)
              ON CONFLICT (trajectory_id) DO UPDATE SET latest = excluded.latest RETURNING since`,
      values: [trajectoryId, now.getTime()],
    };
    return new Date(Number(row?.since));
  }

  *#warnings(standing: Standing, now: Date): Steps<BudgetLevel[]> {
    const levels: BudgetLevel[] = [];
    for (const scope of ['day', 'month'] as const) {
      const cap = this.#caps[scope];
      if (!Number.isFinite(cap) || standing[scope].spent < cap * warnAtShare) continue;
      const level = this.#levelOf(scope, standing, now);
      const told = yield {
        sql: `UPDATE ${this.#store.tables.periods} SET warned_of = $1
               WHERE scope = $2 AND period = $3 AND (warned_of IS NULL OR warned_of < $1) RETURNING scope`,
        values: [cap, scope, level.period],
      };
      if (told.length > 0) levels.push(level);
    }
    return levels;
  }

  #levelOf(scope: 'day' | 'month', standing: Standing, now: Date): BudgetLevel {
    const { spent, inFlight } = standing[scope];
    return {
      scope,
      period: scope === 'day' ? dayOf(now) : monthOf(now),
      limitUsd: scope === 'day' ? this.#limits.perDay : this.#limits.perMonth,
      spentUsd: usdOf(spent),
      reservedUsd: usdOf(inFlight),
    };
  }

  *#tidyDaily(now: Date): Steps<void> {
    const today = dayOf(now);
    if (this.#tidiedOn === today) return;
    yield* tidy(this.#store.tables, now);
    this.#tidiedOn = today;
  }
}
