/** One simulated history: what happens, from a list of numbers, and what must be true of it in the end. */

import { Capture, type Fate } from './capture.ts';
import { Choices } from './choices.ts';
import { type Durable, rules } from './durable.ts';
import { partsOf, type ReferencePart } from './reference.ts';
import { lsnNumber, minute, mostBack, type Row, Server, second } from './server.ts';
import { demand } from './violation.ts';

const { idleTimeout, retain, maxAge, endGrace } = rules;
/** On, just beside and far from every boundary of the rules. */
const gaps = [0, 0, 0, 1, second, second, endGrace, endGrace + 1, minute, minute, 9 * minute, 9 * minute].concat(
  [25 * minute, 70 * minute, idleTimeout - 1, idleTimeout, idleTimeout, idleTimeout + 1],
  [retain, maxAge].flatMap((at) => [at - idleTimeout, at - 1, at, at + 1]),
);
const sizes = [1, 1, 1, 1, 1, 20, 20, 70, 200, 600];
const sessions = ['a', 'b', 'c'];

/** May say what of it was left to choice. */
type Event = (world: World, choose: Choices) => unknown;

interface World {
  server: Server;
  capture: Capture;
}

const events: Record<string, [weight: number, event: Event]> = {
  commit: [11, ({ server }, choose) => commit(server, choose, 1 + (choose.below(4) === 3 ? choose.below(3) : 0))],
  'large transaction': [2, ({ server }, choose) => commit(server, choose, 4 + choose.below(6))],
  'transaction without rows of ours': [1, ({ server }, choose) => commit(server, choose, 0)],
  'other WAL': [
    1,
    ({ server }, choose) => {
      server.write(1 + choose.below(40));
      return `up to ${server.lsn}`;
    },
  ],
  flush: [1, ({ server }) => server.flush()],
  receive: [
    9,
    ({ capture }, choose) => {
      const messages = choose.of([1, 2, 3, 5, 100, 100]);
      capture.receive(messages);
      return `${messages} messages`;
    },
  ],
  keepalive: [3, ({ capture }, choose) => capture.keepalive(choose.below(2) === 0)],
  probe: [3, ({ capture }) => capture.probe()],
  take: [
    9,
    async ({ capture }, choose) => {
      const fate = choose.of<Fate>([
        'fine',
        'fine',
        'fine',
        'fine',
        'crash before the commit',
        'crash before the confirmation',
      ]);
      return (await capture.take(fate)) ? fate : 'nothing';
    },
  ],
  reconnect: [2, ({ capture }, choose) => capture.connect(choose.of([0, 0, 1, 3]))],
  crash: [1, ({ capture }) => capture.start()],
  'rows of the table are asked for': [
    1,
    ({ server, capture }, choose) => {
      const since = choose.below(2) === 0 ? null : server.now - choose.of(gaps);
      capture.inject(since);
      return since === null ? 'all' : `since ${since}`;
    },
  ],
  'clock set back': [
    1,
    ({ server }, choose) => {
      // Rare: in such a history only the weaker promises hold.
      if (choose.below(6) !== 0) return 'not';
      const by = choose.of([2 * second, 11 * minute, 60 * minute]);
      server.setClockBack(by);
      return `by ${by} µs`;
    },
  ],
};

const deck = Object.entries(events).flatMap(([name, [weight, event]]) =>
  Array.from({ length: weight }, () => ({ name, event })),
);

function commit(server: Server, choose: Choices, count: number): string {
  server.pass(choose.of(gaps));
  const back = choose.below(3) === 0 ? choose.below(mostBack) : 0;
  const how = { back, distance: choose.of([0, 0, 24]), asynchronous: choose.below(4) === 0 };
  const rows: Omit<Row, 'key' | 'committedAt'>[] = [];
  const first = choose.below(sessions.length);
  for (let i = 0; i < count; i++) {
    const session = count > 1 && choose.below(12) === 0 ? null : sessions[(first + (i % 3 === 2 ? 1 : 0)) % 3]!;
    const late = choose.of([0, 0, 0, 1, minute, 50 * minute, null]);
    const createdAt = late === null ? null : server.now - late;
    rows.push({ session, createdAt, ends: choose.below(9) === 0, size: choose.of(sizes) });
  }
  server.commit(rows, how);
  const said = rows.map((row) => `${row.session ?? 'none'}${row.ends ? ' ends' : ''} (${row.size})`).join(', ');
  return `at ${server.now - back}${how.asynchronous ? ' asynchronously' : ''}: ${said}`;
}

/** @param told takes the history down, event by event */
export async function simulate(numbers: readonly number[], told?: string[]): Promise<void> {
  const server = new Server();
  // The first number says how it begins.
  const opening = new Choices(numbers[0] ?? 0);
  const from = opening.of(['now', 'beginning', 'beginning'] as const);
  for (let i = opening.below(6); i > 0; i--) {
    const said = commit(server, opening, 1 + opening.below(3));
    told?.push(`commit ${said}`);
  }
  server.flush();
  const unread = from === 'now' ? server.visible().length : 0;
  const capture = new Capture(server, from);
  told?.push(`the capture starts from ${from} at ${server.lsn}`);
  const world = { server, capture };
  for (const number of numbers.slice(1)) {
    const choose = new Choices(number);
    const { name, event } = choose.of(deck);
    told?.push(name);
    const said = await event(world, choose);
    if (told !== undefined) told[told.length - 1] = typeof said === 'string' ? `${name}: ${said}` : name;
  }
  told?.push('all is received and taken in');
  await finish(world);
  judge(world, unread);
}

async function finish({ server, capture }: World): Promise<void> {
  server.flush();
  for (let idle = 0; idle < 2; ) {
    capture.receive(1_000);
    capture.probe();
    capture.keepalive(false);
    if (await capture.take('fine')) idle = 0;
    else idle += 1;
  }
}

function judge({ server, capture }: World, unread: number): void {
  const { durable, injectedInto } = capture;
  demand(!capture.isReading, 'rows of the table are read to their end');
  demand(lsnNumber(durable.progress!.resumeLsn) === server.lsn, 'an idle stream pins no WAL');
  const all = server.visible();
  const expected = all.slice(capture.from === 'beginning' ? 0 : unread);
  for (const row of expected) demand(row.session === null || durable.partOf.has(row.key), `row ${row.key} is lost`);
  if (injectedInto.size === 0) {
    demand(
      durable.partOf.size === expected.filter((row) => row.session !== null).length,
      'nothing comes that was left out',
    );
    const skipped = expected.filter((row) => row.session === null).length;
    demand((durable.skipped.no_session ?? 0) === skipped, 'what is skipped is counted once');
  }
  if (!server.clockSetBack) demand((durable.watermark ?? 0) >= server.now - second, 'the watermark follows the clock');
  for (const session of sessions) {
    judgeLengths(session, durable);
    // Where the clock was set back, and where rows came in beside the stream, boundaries depend on when.
    if (!server.clockSetBack && !injectedInto.has(session)) judgeParts(session, expected, capture);
  }
}

function judgeLengths(session: string, { ended }: Durable): void {
  for (const { part, fate, rows } of ended) {
    if (part.sessionId !== session) continue;
    const name = `${session}/${part.part}`;
    demand(rows.length <= rules.maxTurns, `${name} is within its caps`);
    demand(rows.length >= rules.minTurns === fate.startsWith('sealed'), `${name}, ${fate}, is long enough or let go`);
  }
}

/** Rows, order, fates and reasons, and so the ids of trajectories too. */
function judgeParts(session: string, expected: readonly Row[], { durable, historyRead }: Capture): void {
  const rows = expected.filter((row) => row.session === session);
  const read = new Set(historyRead?.rows);
  const history =
    historyRead === null
      ? null
      : { rows: historyRead.rows.filter((row) => row.session === session), snapshotAt: historyRead.snapshotAt };
  const streamed = rows.filter((row) => !read.has(row));
  const should = partsOf(history, streamed, durable.watermark ?? 0, rules);
  const is = durable.ended
    .filter(({ part }) => part.sessionId === session)
    .map(({ fate, rows }): ReferencePart => ({ fate, rows }));
  const live = durable.live.get(session);
  if (live !== undefined) is.push({ fate: live.part.held ? 'held' : 'open', rows: live.turns.map((t) => t.rowKey) });
  // What may still grow has no order yet.
  for (const { fate, rows } of [is.at(-1), should.at(-1)].flatMap((part) => part ?? [])) {
    if (fate === 'open' || fate === 'held') rows.sort();
  }
  const [a, b] = [JSON.stringify(is), JSON.stringify(should)];
  demand(a === b, `the parts of ${session} are ${a}, and by the rules ${b}`);
}
