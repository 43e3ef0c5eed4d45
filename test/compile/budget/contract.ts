/** What every budget promises, wherever its ledger lies. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Budget, BudgetLevel, Reservation } from '../../../src/compile/budget/budget.ts';
import type { LedgerOptions } from '../../../src/compile/budget/ledger.ts';
import type { BudgetLimits } from '../../../src/compile/budget/limits.ts';
import { until } from '../../support/capture.ts';

export interface OpenOptions extends Omit<LedgerOptions, 'limits'> {
  limits?: Partial<BudgetLimits>;
  /** Null for the clock that it has by itself. */
  now?: (() => Date) | null;
}

export interface BudgetHarness {
  /** Another opening of the same ledger, as another process has one. */
  open(options: LedgerOptions & { now?: () => Date }): Promise<Budget>;
  /** Rows of a table of it: `periods`, `trajectories`, `reservations`, `refused`. */
  count(table: string): Promise<number>;
  /** Deletes everything. */
  dispose(): Promise<void>;
}

const none: BudgetLimits = { perCall: null, perTrajectory: null, perDay: null, perMonth: null };
const never = new AbortController().signal;

export function budgetContract(name: string, makeHarness: () => Promise<BudgetHarness>): void {
  describe(`the contract of a budget, kept by ${name}`, () => {
    let harness: BudgetHarness;
    let clock: Date;
    let opened: Budget[];
    let calls: number;
    beforeEach(async () => {
      harness = await makeHarness();
      clock = new Date('2026-11-21T10:00:00.000Z');
      opened = [];
      calls = 0;
    });
    afterEach(async () => {
      await Promise.all(opened.map((budget) => budget.close()));
      await harness.dispose();
    });

    async function open({ limits = {}, now = () => clock, ...more }: OpenOptions = {}): Promise<Budget> {
      const given = { ...more, ...(now === null ? {} : { now }) };
      const budget = await harness.open({ ...given, limits: { ...none, ...limits } });
      opened.push(budget);
      return budget;
    }
    async function close(budget: Budget): Promise<void> {
      opened = opened.filter((one) => one !== budget);
      await budget.close();
    }
    const reserve = (
      budget: Budget,
      maxUsd: number | null,
      { trajectoryId = 't', agent = 'a', callId = `call-${++calls}`, signal = never } = {},
    ) => budget.reserve({ callId, trajectoryId, agent, stage: 'compile', maxUsd }, signal);
    async function pay(budget: Budget, costUsd: number, more = {}): Promise<void> {
      await (await reserve(budget, costUsd, more)).settle(costUsd);
    }
    /** What stays unanswered while everything that could answer it has had its turn. */
    async function isWaiting(promise: Promise<unknown>, budget: Budget): Promise<boolean> {
      let answered = false;
      const note = () => {
        answered = true;
      };
      promise.then(note, note);
      for (let round = 0; round < 3; round++) await budget.levels();
      return !answered;
    }
    const levelOf = async (budget: Budget, scope: BudgetLevel['scope']) =>
      (await budget.levels()).find((level) => level.scope === scope);

    it('counts what is reserved until it is settled, then what it did cost', async () => {
      const budget = await open({ limits: { perDay: 1 } });
      const reservation = await reserve(budget, 0.4);
      const day = { scope: 'day', period: '2026-11-21', limitUsd: 1 };
      const month = { scope: 'month', period: '2026-11', limitUsd: null };
      expect(await budget.levels()).toEqual([
        { ...day, spentUsd: 0, reservedUsd: 0.4 },
        { ...month, spentUsd: 0, reservedUsd: 0.4 },
      ]);
      await reservation.settle(0.15);
      await reservation.settle(0.15);
      expect(await budget.levels()).toEqual([
        { ...day, spentUsd: 0.15, reservedUsd: 0 },
        { ...month, spentUsd: 0.15, reservedUsd: 0 },
      ]);
    });

    it('fills a cap to the last fraction of a cent, and not beyond it', async () => {
      const budget = await open({ limits: { perDay: 0.3 } });
      for (let n = 0; n < 3; n++) await pay(budget, 0.1);
      expect((await levelOf(budget, 'day'))?.spentUsd).toBe(0.3);
      await expect(reserve(budget, 0.000_000_000_1)).rejects.toMatchObject({ scope: 'day' });
    });

    it('refuses at the cap of the day until the next one, and remembers since when, over restarts', async () => {
      const first = await open({ limits: { perDay: 1 } });
      await pay(first, 0.7);
      const refused = { scope: 'day', kind: 'stop', code: 'budget_exhausted', exitCode: 4 };
      const since = clock;
      await expect(reserve(first, 0.4)).rejects.toMatchObject({
        ...refused,
        since,
        resumeAt: new Date('2026-11-22T00:00:00.000Z'),
        message: expect.stringContaining('0.7 USD of budget.perDay (1 USD) are spent on 2026-11-21 (UTC)'),
      });
      await close(first);
      clock = new Date('2026-11-21T18:00:00.000Z');
      const second = await open({ limits: { perDay: 1 } });
      await expect(reserve(second, 0.4)).rejects.toMatchObject({ since });
      await expect(reserve(second, 0.4, { trajectoryId: 'another' })).rejects.toMatchObject({ since: clock });
      await pay(second, 0.3);
      clock = new Date('2026-11-21T19:00:00.000Z');
      await expect(reserve(second, 0.4)).rejects.toMatchObject({ since: clock });
    });

    it('has new money the next day, and at the cap of the month the next month', async () => {
      clock = new Date('2026-12-30T23:59:59.999Z');
      const budget = await open({ limits: { perDay: 1, perMonth: 1.5 } });
      await pay(budget, 1);
      await expect(reserve(budget, 0.1)).rejects.toMatchObject({ scope: 'day', resumeAt: new Date('2026-12-31') });
      clock = new Date('2026-12-31T00:00:00.000Z');
      await pay(budget, 0.5);
      await expect(reserve(budget, 0.1)).rejects.toMatchObject({ scope: 'month', resumeAt: new Date('2027-01-01') });
      clock = new Date('2027-01-01T00:00:00.000Z');
      await pay(budget, 1);
    });

    it('settles on the day that it was reserved on', async () => {
      const budget = await open({ limits: { perDay: 1 } });
      const reservation = await reserve(budget, 1);
      clock = new Date('2026-11-22T00:00:01.000Z');
      await pay(budget, 1);
      await reservation.settle(1);
      expect((await levelOf(budget, 'day'))?.spentUsd).toBe(1);
    });

    it('finds a day as it left it where the clock is set back', async () => {
      const budget = await open({ limits: { perDay: 1 } });
      await pay(budget, 0.9);
      clock = new Date('2026-11-22T01:00:00.000Z');
      await pay(budget, 0.5);
      clock = new Date('2026-11-21T23:00:00.000Z');
      await expect(reserve(budget, 0.2)).rejects.toMatchObject({ scope: 'day' });
    });

    it('refuses a call, or a trajectory, that is too dear, for good', async () => {
      const limits = { perCall: 0.5, perTrajectory: 0.8, perDay: 0.9 };
      const first = await open({ limits });
      await expect(reserve(first, 0.6)).rejects.toMatchObject({ scope: 'call', resumeAt: undefined });
      await pay(first, 0.5);
      await close(first);
      const second = await open({ limits });
      await expect(reserve(second, 0.4)).rejects.toMatchObject({ scope: 'trajectory', resumeAt: undefined });
      await pay(second, 0.4, { trajectoryId: 'another' });
    });

    it('refuses a call that is dearer than a whole day, whatever the day', async () => {
      const budget = await open({ limits: { perDay: 1, perMonth: 30 } });
      await expect(reserve(budget, 1.1)).rejects.toMatchObject({ scope: 'call', resumeAt: undefined });
    });

    it('pauses for a day that is given nothing', async () => {
      const budget = await open({ limits: { perDay: 0 } });
      await expect(reserve(budget, 0.1)).rejects.toMatchObject({ scope: 'day', resumeAt: new Date('2026-11-22') });
    });

    it('lets through what has no price or costs nothing, and counts what it turns out to cost', async () => {
      const budget = await open({ limits: { perDay: 1 } });
      await pay(budget, 1);
      await pay(budget, 0);
      await (await reserve(budget, null)).settle(null);
      await (await reserve(budget, null)).settle(0.25);
      expect(await levelOf(budget, 'day')).toMatchObject({ spentUsd: 1.25, reservedUsd: 0 });
      await pay(budget, 0);
    });

    it('waits for what is in flight in this process and in others, and refuses only what none of it can help', async () => {
      const [here, there] = [await open({ limits: { perDay: 1 } }), await open({ limits: { perDay: 1 } })];
      const mine = await reserve(here, 0.6);
      const theirs = await reserve(there, 0.4);
      const third = reserve(here, 0.3);
      expect(await isWaiting(third, here)).toBe(true);
      await theirs.settle(0.1);
      const granted = await third;
      const fourth = reserve(here, 0.3);
      expect(await isWaiting(fourth, here)).toBe(true);
      await granted.settle(0.3);
      const refused = expect(fourth).rejects.toMatchObject({ scope: 'day' });
      await mine.settle(0.6);
      await refused;
    });

    it('gives up waiting when its signal fires, and holds up nobody', async () => {
      const budget = await open({ limits: { perDay: 1 } });
      const held = await reserve(budget, 0.7);
      const giveUp = new AbortController();
      const waiting = reserve(budget, 1, { signal: giveUp.signal, agent: 'one' });
      const behind = reserve(budget, 0.3, { agent: 'other' });
      expect(await isWaiting(behind, budget)).toBe(true);
      giveUp.abort(new Error('no longer wanted'));
      await expect(waiting).rejects.toThrow('no longer wanted');
      await (await behind).settle(0.3);
      await held.settle(0.7);
      await expect(reserve(budget, 0.1, { signal: giveUp.signal })).rejects.toThrow('no longer wanted');
      expect(await levelOf(budget, 'day')).toMatchObject({ spentUsd: 1, reservedUsd: 0 });
    });

    it('has spent nothing for who gives up while it is asked', async () => {
      const budget = await open({ limits: { perDay: 1 } });
      const giveUp = new AbortController();
      const asking = reserve(budget, 1, { signal: giveUp.signal });
      giveUp.abort(new Error('no longer wanted'));
      await expect(asking).rejects.toThrow('no longer wanted');
      await close(budget);
      expect(await levelOf(await open(), 'day')).toMatchObject({ spentUsd: 0, reservedUsd: 0 });
    });

    it('has spent what was reserved for a call whose cost nobody knows', async () => {
      const budget = await open({ limits: { perDay: 1, perTrajectory: 0.8 } });
      await (await reserve(budget, 0.6)).settle(null);
      await expect(reserve(budget, 0.3)).rejects.toMatchObject({ scope: 'trajectory' });
      await expect(reserve(budget, 0.5, { trajectoryId: 'another' })).rejects.toMatchObject({ scope: 'day' });
    });

    it('has spent what a process had in flight that is gone, and never gives it back', async () => {
      const killed = await open({ limits: { perDay: 1 } });
      await reserve(killed, 0.6);
      await close(killed);
      const next = await open({ limits: { perDay: 1 } });
      const waiting = reserve(next, 0.5);
      expect(await isWaiting(waiting, next)).toBe(true);
      const refused = expect(waiting).rejects.toMatchObject({ scope: 'day' });
      clock = new Date(clock.getTime() + 30_000);
      await refused;
      expect(await levelOf(next, 'day')).toMatchObject({ spentUsd: 0.6, reservedUsd: 0 });
      clock = new Date('2026-11-23T10:00:00.000Z');
      await pay(next, 0.1);
      expect(await harness.count('reservations')).toBe(0);
      clock = new Date('2026-11-21T11:00:00.000Z');
      expect(await levelOf(next, 'day')).toMatchObject({ spentUsd: 0.6 });
    });

    it('believes a process that was silent for a while and settles after all', async () => {
      const [slow, other] = [await open({ limits: { perDay: 1 } }), await open({ limits: { perDay: 1 } })];
      const reservation = await reserve(slow, 0.8);
      clock = new Date(clock.getTime() + 60_000);
      await expect(reserve(other, 0.5)).rejects.toMatchObject({ scope: 'day' });
      await reservation.settle(0.2);
      await pay(other, 0.5);
    });

    it('waits for as long as the process lives that has the money in flight', async () => {
      const options = { limits: { perDay: 1 }, leaseMs: 400, now: null };
      const [slow, other] = [await open(options), await open(options)];
      const reservation = await reserve(slow, 0.8);
      const begun = Date.now();
      const waiting = reserve(other, 0.5);
      waiting.catch(() => {});
      await until('the first lease to end', () => Date.now() - begun > 700);
      expect(await isWaiting(waiting, other)).toBe(true);
      await reservation.settle(0.2);
      await (await waiting).settle(0.5);
    });

    it('goes on at once from the same counts when it is started with a higher cap', async () => {
      const low = await open({ limits: { perDay: 1 } });
      await pay(low, 0.9);
      await expect(reserve(low, 0.2)).rejects.toMatchObject({ scope: 'day' });
      await close(low);
      const high = await open({ limits: { perDay: 2 } });
      await pay(high, 0.2);
      await expect(reserve(high, 1)).rejects.toMatchObject({ scope: 'day' });
    });

    it('warns once of a period that four fifths of its cap are spent, and again of a higher cap', async () => {
      const levels: BudgetLevel[] = [];
      const onWarning = (level: BudgetLevel) => void levels.push(level);
      const budget = await open({ limits: { perDay: 1, perMonth: 10 }, onWarning });
      await pay(budget, 0.79);
      await pay(budget, 0.01);
      expect(levels).toEqual([]);
      for (let n = 0; n < 3; n++) await pay(budget, 0.01);
      await pay(await open({ limits: { perDay: 1, perMonth: 10 }, onWarning }), 0.01);
      const day = { scope: 'day', period: '2026-11-21', reservedUsd: 0 };
      expect(levels).toEqual([{ ...day, limitUsd: 1, spentUsd: 0.8 }]);
      const raised = await open({ limits: { perDay: 2, perMonth: 10 }, onWarning });
      await pay(raised, 0.8);
      await pay(raised, 0.1);
      expect(levels.slice(1)).toEqual([{ ...day, limitUsd: 2, spentUsd: 1.64 }]);
    });

    it('gives what comes back to one agent after another', async () => {
      const budget = await open({ limits: { perDay: 1 } });
      let held = await reserve(budget, 1);
      const granted: { agent: string; reservation: Reservation }[] = [];
      const waiting = ['loud', 'loud', 'loud', 'quiet', 'shy', 'quiet'].map(async (agent) => {
        granted.push({ agent, reservation: await reserve(budget, 1, { agent }) });
      });
      expect(await isWaiting(Promise.race(waiting), budget)).toBe(true);
      for (let n = 1; n <= waiting.length; n++) {
        await held.settle(0);
        await until('the next turn', () => granted.length === n);
        held = granted[n - 1]!.reservation;
      }
      await held.settle(0);
      expect(granted.map(({ agent }) => agent)).toEqual(['loud', 'quiet', 'shy', 'loud', 'quiet', 'loud']);
    });

    it('reserves once for one call, though it was asked twice', async () => {
      const budget = await open({ limits: { perDay: 2 } });
      await reserve(budget, 0.6, { callId: 'the same' });
      const again = await reserve(budget, 0.6, { callId: 'the same' });
      expect((await levelOf(budget, 'day'))?.reservedUsd).toBe(0.6);
      await again.settle(0.5);
    });

    it('gives what is left to one of those processes that ask for it at once', async () => {
      const processes = await Promise.all(Array.from({ length: 6 }, () => open({ limits: { perDay: 1 } })));
      for (const budget of processes) await pay(budget, 0.01);
      const giveUp = new AbortController();
      const asked = processes.map((budget) => reserve(budget, 0.6, { signal: giveUp.signal }));
      for (const one of asked) one.catch(() => {});
      await Promise.any(asked);
      expect(await levelOf(processes[0]!, 'day')).toMatchObject({ spentUsd: 0.06, reservedUsd: 0.6 });
      for (const [at, one] of asked.entries()) await isWaiting(one, processes[at]!);
      expect(await levelOf(processes[0]!, 'day')).toMatchObject({ spentUsd: 0.06, reservedUsd: 0.6 });
      giveUp.abort();
    });

    it('lets eight workers of two processes spend a cap, and not a fraction more, whatever calls cost', async () => {
      const limits = { perDay: 1 };
      const processes = [await open({ limits }), await open({ limits })];
      let spent = 0;
      let refused = 0;
      const work = async (worker: number) => {
        const budget = processes[worker % 2]!;
        for (let n = 0; n < 40; n++) {
          const maxUsd = 0.01 + ((worker * 31 + n * 17) % 50) / 1000;
          const more = { trajectoryId: `${worker}-${n}`, agent: `agent ${worker % 3}` };
          const reservation = await reserve(budget, maxUsd, more).catch(() => null);
          if (reservation === null) refused += 1;
          else {
            const cost = Number((maxUsd * (((worker + n) % 4) / 3)).toFixed(9));
            spent += cost;
            await reservation.settle(cost);
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, (_, worker) => work(worker)));
      expect(spent).toBeLessThanOrEqual(1);
      expect(spent).toBeGreaterThan(0.98);
      expect(refused).toBeGreaterThan(0);
      expect((await levelOf(processes[0]!, 'day'))?.spentUsd).toBeCloseTo(spent, 8);
    });

    it('forgets days, trajectories and refusals of long ago', async () => {
      const budget = await open({ limits: { perDay: 1 } });
      await pay(budget, 0.9, { trajectoryId: 'old' });
      await expect(reserve(budget, 0.2, { trajectoryId: 'refused' })).rejects.toMatchObject({ scope: 'day' });
      clock = new Date('2027-02-21T10:00:00.000Z');
      await pay(budget, 0.1, { trajectoryId: 'new' });
      expect(await Promise.all(['trajectories', 'refused'].map((table) => harness.count(table)))).toEqual([1, 0]);
      // The month stays.
      expect(await harness.count('periods')).toBe(3);
    });

    it('refuses those who wait when it is closed', async () => {
      const budget = await open({ limits: { perDay: 1 } });
      await reserve(budget, 1);
      const waiting = expect(reserve(budget, 1)).rejects.toMatchObject({ kind: 'retry', code: 'budget_closed' });
      await close(budget);
      await waiting;
    });
  });
}
