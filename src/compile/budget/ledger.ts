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
import { addToPeriods, type LedgerTransaction, spend } from './accounts.ts';
import type { BudgetLevel, SpendAsk } from './budget.ts';
import { dayOf, decide, monthOf, type Refusal, type Standing } from './decision.ts';
import type { LedgerTables } from './ledger-schema.ts';
import { type BudgetLimits, type Caps, capsOf, nanoOf, usdOf } from './limits.ts';
import { tidy } from './tidy.ts';

/** Where a ledger lies. */
export interface LedgerStore {
  readonly tables: LedgerTables;
  /**
   * Resolves once what `work` did is durable. It may run more than once: where it is unknown whether a commit arrived.
   * Whoever writes a period first keeps all others from it until the end.
   */
  transaction<T>(doing: string, work: (tx: LedgerTransaction) => Promise<T>): Promise<T>;
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

const warnAtShare = 0.8;

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
    const amount = maxUsd === null ? 0 : nanoOf(maxUsd);
    const { answer, warnings } = await this.#store.transaction('reserve in', async (tx) => {
      await this.#tidyDaily(tx);
      const { standing, isReserved } = await this.#standing(tx, trajectoryId, callId);
      const verdict = isReserved ? { do: 'grant' as const } : decide(amount, standing, this.#caps, tx.now);
      const warnings = await this.#warnings(tx, standing);
      if (verdict.do === 'wait') {
        const answer = { do: 'wait', for: verdict.for === 'trajectory' ? 'trajectory' : 'period' } as const;
        return { answer, warnings };
      }
      if (verdict.do === 'refuse') {
        const { refusal } = verdict;
        const since = refusal.resumeAt === null ? tx.now : await this.#refuse(tx, trajectoryId);
        return { answer: { do: 'refuse', refusal, since } as const, warnings };
      }
      if (!isReserved) await this.#reserve(tx, { callId, trajectoryId, amount });
      return { answer: verdict, warnings };
    });
    for (const level of warnings) this.#onWarning(level);
    return answer;
  }

  /** Null: not known, so all that was reserved is spent. Settling twice changes nothing. */
  async settle(callId: string, costUsd: number | null): Promise<void> {
    const { reservations } = this.#store.tables;
    await this.#store.transaction('settle in', async (tx) => {
      const [row] = await tx.query(
        `DELETE FROM ${reservations} WHERE call_id = $1 RETURNING trajectory_id, amount, day, month`,
        [callId],
      );
      if (row === undefined) return;
      await spend(tx, this.#store.tables, row, costUsd === null ? Number(row.amount) : nanoOf(costUsd));
    });
  }

  /** Whoever reserved for these calls is alive, and what it reserved may come back. */
  async renew(callIds: readonly string[]): Promise<void> {
    const ids = callIds.map((_, at) => `$${at + 2}`).join(', ');
    const sql = `UPDATE ${this.#store.tables.reservations} SET alive_until = $1 WHERE call_id IN (${ids})`;
    await this.#store.transaction('renew reservations in', async (tx) => {
      await tx.query(sql, [tx.now.getTime() + this.leaseMs, ...callIds]);
    });
  }

  async levels(): Promise<BudgetLevel[]> {
    return await this.#store.transaction('read', async (tx) => {
      const { standing } = await this.#standing(tx, '', '');
      return (['day', 'month'] as const).map((scope) => this.#levelOf(scope, standing, tx.now));
    });
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  async #standing(
    tx: LedgerTransaction,
    trajectoryId: string,
    callId: string,
  ): Promise<{ standing: Standing; isReserved: boolean }> {
    const { periods, reservations, trajectories } = this.#store.tables;
    const [day, month] = [dayOf(tx.now), monthOf(tx.now)];
    // Written, not read: from here to the end no other process decides about this day or month.
    const counts = await addToPeriods(tx, periods, { day, month, amount: 0 });
    const inFlight = 'alive_until > $4';
    const [row] = await tx.query(
      `SELECT sum(amount) FILTER (WHERE day = $1 AND ${inFlight}) AS day,
              sum(amount) FILTER (WHERE day = $1 AND NOT ${inFlight}) AS day_gone,
              sum(amount) FILTER (WHERE month = $2 AND ${inFlight}) AS month,
              sum(amount) FILTER (WHERE month = $2 AND NOT ${inFlight}) AS month_gone,
              sum(amount) FILTER (WHERE trajectory_id = $3 AND ${inFlight}) AS trajectory,
              sum(amount) FILTER (WHERE trajectory_id = $3 AND NOT ${inFlight}) AS trajectory_gone,
              count(*) FILTER (WHERE call_id = $5) AS mine,
              (SELECT spent FROM ${trajectories} WHERE id = $3) AS trajectory_spent
         FROM ${reservations}`,
      [day, month, trajectoryId, tx.now.getTime(), callId],
    );
    const amounts = row ?? {};
    const spendOf = (scope: 'day' | 'month' | 'trajectory', settled: unknown) => ({
      spent: Number(settled ?? 0) + Number(amounts[`${scope}_gone`] ?? 0),
      inFlight: Number(amounts[scope] ?? 0),
    });
    return {
      standing: {
        day: spendOf('day', counts.day),
        month: spendOf('month', counts.month),
        trajectory: spendOf('trajectory', amounts.trajectory_spent),
      },
      isReserved: Number(amounts.mine) > 0,
    };
  }

  async #reserve(
    tx: LedgerTransaction,
    { callId, trajectoryId, amount }: { callId: string; trajectoryId: string; amount: number },
  ): Promise<void> {
    const { reservations, refused } = this.#store.tables;
    await tx.query(
      `INSERT INTO ${reservations} (call_id, trajectory_id, amount, day, month, alive_until)
         VALUES ($1, $2, $3, $4, $5, $6)`,
      [callId, trajectoryId, amount, dayOf(tx.now), monthOf(tx.now), tx.now.getTime() + this.leaseMs],
    );
    await tx.query(`DELETE FROM ${refused} WHERE trajectory_id = $1`, [trajectoryId]);
  }

  /** When this trajectory was refused first. */
  async #refuse(tx: LedgerTransaction, trajectoryId: string): Promise<Date> {
    const [row] = await tx.query(
      `INSERT INTO ${this.#store.tables.refused} (trajectory_id, since, latest) VALUES ($1, $2, $2)
         ON CONFLICT (trajectory_id) DO UPDATE SET latest = excluded.latest RETURNING since`,
      [trajectoryId, tx.now.getTime()],
    );
    return new Date(Number(row?.since));
  }

  async #warnings(tx: LedgerTransaction, standing: Standing): Promise<BudgetLevel[]> {
    const levels: BudgetLevel[] = [];
    for (const scope of ['day', 'month'] as const) {
      const cap = this.#caps[scope];
      if (!Number.isFinite(cap) || standing[scope].spent < cap * warnAtShare) continue;
      const level = this.#levelOf(scope, standing, tx.now);
      const told = await tx.query(
        `UPDATE ${this.#store.tables.periods} SET warned_of = $1
          WHERE scope = $2 AND period = $3 AND (warned_of IS NULL OR warned_of < $1) RETURNING scope`,
        [cap, scope, level.period],
      );
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

  async #tidyDaily(tx: LedgerTransaction): Promise<void> {
    const today = dayOf(tx.now);
    if (this.#tidiedOn === today) return;
    await tidy(tx, this.#store.tables);
    this.#tidiedOn = today;
  }
}
