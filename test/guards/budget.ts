// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source text
/** What keeps the bill below its caps, and its agents in turn. */
import type { Guard } from './guard.ts';

const decision = 'src/compile/budget/decision.ts';
const ledger = 'src/compile/budget/ledger.ts';
const reserving = 'src/compile/budget/reserving.ts';
const file = ['test/compile/budget/sqlite.test.ts'];
const lanes = ['test/topic/lanes.test.ts'];

export const budgetGuards: readonly Guard[] = [
  {
    name: 'budget: what is in flight counts against a cap',
    file: decision,
    old: 'if (spent + inFlight + ask > caps[scope])',
    new: 'if (spent + ask > caps[scope])',
    tests: file,
  },
  {
    name: 'budget: nothing is refused whose money may come back',
    file: decision,
    old: 'if (spent + ask > caps[scope])\n',
    new: 'if (spent + standing[scope].inFlight + ask > caps[scope])\n',
    tests: file,
  },
  {
    name: 'budget: what is dearer than a whole day waits for no other day',
    file: decision,
    old: "(['call', 'day', 'month'] as const).find",
    new: "(['call'] as const).find",
    tests: file,
  },
  {
    name: 'budget: a day that is given nothing is a pause',
    file: decision,
    old: ' && !isPause(scope, caps)',
    new: '',
    tests: file,
  },
  {
    name: 'budget: a look at the levels does not wait for a server that is away',
    file: 'src/compile/budget/postgres.ts',
    old: 'glance: (doing, steps) => attempt(doing, taking(steps)),',
    new: 'glance: (doing, steps) => patiently(doing, taking(steps)),',
    tests: ['test/compile/budget/postgres.pg.test.ts'],
  },
  {
    name: 'budget: what costs nothing is let through at any cap',
    file: decision,
    old: "if (ask === 0) return { do: 'grant' };",
    new: '',
    tests: file,
  },
  {
    name: 'budget: an unknown cost is what was reserved',
    file: ledger,
    old: 'costUsd === null ? Number(row.amount) : nanoOf(costUsd)',
    new: 'nanoOf(costUsd ?? 0)',
    tests: file,
  },
  {
    name: 'budget: what a process that is gone had in flight is spent',
    file: ledger,
    old: 'spent: Number(settled ?? 0) + Number(amounts[`${scope}_gone`] ?? 0),',
    new: 'spent: Number(settled ?? 0),',
    tests: file,
  },
  {
    name: 'budget: what a process that is gone had in flight stays spent when it is tidied',
    file: 'src/compile/budget/tidy.ts',
    old: 'for (const row of gone) yield* spend(tables, row, Number(row.amount), now);',
    new: 'void gone;',
    tests: file,
  },
  {
    name: 'budget: the money in flight of a process that lives is waited for',
    file: reserving,
    old: 'void this.#ledger.renew([...this.#inFlight]).catch(() => {});',
    new: '{}',
    tests: file,
  },
  {
    name: 'budget: a call whose commit was not heard of is reserved for once',
    file: ledger,
    old: "if (isReserved) return { answer: { do: 'grant' }, warnings };",
    new: '',
    tests: file,
  },
  {
    name: 'budget: when a trajectory was refused first is kept',
    file: ledger,
    old: 'DO UPDATE SET latest = excluded.latest RETURNING since',
    new: 'DO UPDATE SET since = excluded.since, latest = excluded.latest RETURNING since',
    tests: file,
  },
  {
    name: 'budget: and forgotten once it is let through',
    file: ledger,
    old: 'yield { sql: `DELETE FROM ${refused} WHERE trajectory_id = $1`, values: [trajectoryId] };',
    new: '',
    tests: file,
  },
  {
    name: 'budget: a warning is given once',
    file: ledger,
    old: 'AND (warned_of IS NULL OR warned_of < $1) RETURNING scope',
    new: 'RETURNING scope',
    tests: file,
  },
  {
    name: 'budget: no other process comes between reading what is spent and reserving',
    file: 'src/compile/budget/postgres.ts',
    old: 'durably(client, async () => await take(client, steps(now?.() ?? (await readClock(client)))));',
    new: '(async () => await take(client, steps(now?.() ?? (await readClock(client)))))();',
    tests: ['test/compile/budget/postgres.pg.test.ts'],
  },
  {
    name: 'budget: the dear are not overtaken for ever by the cheap',
    file: reserving,
    old: "if (answer.for === 'period') return false;",
    new: '',
    tests: file,
  },
  {
    name: 'budget: agents take turns',
    file: 'src/compile/budget/turns.ts',
    old: 'return [...this.#queues.values()].map(([head]) => head!);',
    new: 'return [...this.#queues].sort(([a], [b]) => (`${a}` < `${b}` ? -1 : 1)).map(([, [head]]) => head!);',
    tests: file,
  },
  {
    name: 'budget: who gave up while the ledger was asked has spent nothing',
    file: reserving,
    old: 'if (!waiting.wanted) return await this.#ledger.settle(callId, 0).catch(() => {});',
    new: '',
    tests: file,
  },
  {
    name: 'budget: a trajectory is not skipped before it has waited long enough',
    file: 'src/compile/compile.ts',
    old: 'return comesBack && now().getTime() - error.since.getTime() < patienceMs;',
    new: 'return false;',
    tests: ['test/compile/budget/patience.test.ts'],
  },
  {
    name: 'budget: the trajectories of an agent have a lane',
    file: 'src/transport/embedded.ts',
    old: "lane: agent ?? '',",
    new: '',
    tests: ['test/transport/agents-in-turn.test.ts'],
  },
  {
    name: 'topic: lanes take turns',
    file: 'src/topic/statements.ts',
    old: 'ORDER BY d.turn, d.place LIMIT ?',
    new: 'ORDER BY d.place LIMIT ?',
    tests: lanes,
  },
  {
    name: 'topic: a lane that comes late waits for no more than a turn, and gets no more than one',
    file: 'src/topic/store.ts',
    old: 'if (turn > 0) this.#statements.advance.run(turn, group);',
    new: '',
    tests: lanes,
  },
  {
    name: 'budget: what a cap leaves out for good is told',
    file: 'src/compile/budget/telling.ts',
    old: '        tell(error);\n',
    new: '',
    tests: ['test/compile/budget/telling.test.ts'],
  },
];
