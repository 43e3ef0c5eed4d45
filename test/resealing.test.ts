/** Trajectories that were lost behind the topic, and go out again as themselves. */
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { retry } from '../src/errors.ts';
import { Injector } from '../src/injecting.ts';
import type { Turn } from '../src/records.ts';
import { type BackfillRequest, openRequests } from '../src/requests.ts';
import { createReseal } from '../src/resealing.ts';
import { createDigester } from '../src/row-digest.ts';
import { assembleTrajectory } from '../src/sessionizer/trajectory.ts';
import { messageOf } from '../src/transport/kafka.ts';
import { day, hour, LogWriter, lsn, minute, start, watermark } from './sessionizer/log.ts';
import { TemporaryJournal } from './sessionizer/temporary-journal.ts';

const digester = createDigester('a key that nobody can guess');
const never = new AbortController().signal;

let log: LogWriter;
let temporary: TemporaryJournal;

beforeEach(() => {
  log = new LogWriter();
  temporary = new TemporaryJournal({ digester });
});
afterEach(() => temporary.remove());

const turns = (...times: number[]) => times.map((at) => log.turn({ at }));
const historic = (rows: readonly Turn[]) =>
  rows.map((row, i) => ({ ...row, committedAt: null, position: { lsn: lsn(0), ordinal: i - 100 } }));

/** Over a table of these rows, all of session s. */
function resealOver(rows: readonly Turn[]) {
  const readSession = vi.fn(async () => historic(rows));
  const openReader = async () => ({ source: 'test', readSession, close: async () => {} });
  const reseal = createReseal({ journal: temporary.journal, digester, openReader });
  const onSent = vi.fn();
  const again = (...ids: string[]) =>
    reseal(
      ids.map((trajectoryId) => ({ trajectoryId, sessionId: 's' })),
      never,
      onSent,
    );
  return { again, readSession, onSent };
}

/** Takes in the rows of a session until a part of it is sealed, published and forgotten. Returns its id. */
function lose(rows: Turn[], at = hour): string {
  temporary.take([...rows, watermark(at)]);
  const [id] = temporary.finishAll();
  return id!;
}

test('a lost trajectory goes out as what it was, as often as it is asked for, and its rows stay where they are', async () => {
  const short = turns(0);
  temporary.take([...short, watermark(8 * day)]);
  const rows = turns(8 * day, 8 * day + minute, 8 * day + 2 * minute);
  temporary.take([...rows, watermark(8 * day + hour)]);
  const { journal } = temporary;
  const [ref] = journal.outbox.pending(9);
  const was = journal.outbox.assemble(ref!.trajectoryId);
  temporary.finishAll();
  const goingOn = turns(8 * day + 2 * hour);
  temporary.take(goingOn);
  const before = [journal.totals(), journal.recall(['s'], null).parts];
  const { again, onSent } = resealOver([...short, ...rows, ...goingOn]);
  // The second time it is held still, before the third it was finished once more.
  for (const rowsRead of [5, 0, 5]) {
    expect(await again(was.id)).toEqual({ rowsRead, rowsSent: 3, notRebuilt: [] });
    expect(journal.outbox.pending(9)).toMatchObject([
      { trajectoryId: was.id, part: 1, turns: 3, bytes: ref!.bytes, resentAt: expect.any(Number) },
    ]);
    const { id, part, startedAt, endedAt, contentHash, ...now } = journal.outbox.assemble(was.id);
    expect({ id, part, startedAt, endedAt, contentHash }).toEqual({
      id: was.id,
      part: 1,
      startedAt: start + 8 * day,
      endedAt: was.endedAt,
      contentHash: was.contentHash,
    });
    expect(now.turns.map(({ digest }) => digest)).toEqual(was.turns.map(({ digest }) => digest));
    if (rowsRead === 0) temporary.finishAll();
  }
  expect(onSent).toHaveBeenCalledTimes(3);
  temporary.finishAll();
  temporary.restart();
  expect([temporary.journal.totals(), temporary.journal.recall(['s'], null).parts]).toEqual(before);
  const { ledger } = temporary.journal;
  expect(ledger.buckets().reduce((sum: number, bucket) => sum + ledger.entries(bucket).size, 0)).toBe(5);
});

test('its message on Kafka is another one each time it is sent again', () => {
  const rows = turns(0, 1, 2);
  const part = { sessionId: 's', part: 0, firstAt: start, lastAt: start };
  const value = assembleTrajectory({ source: 'test', part, closedBy: 'idle', turns: rows });
  const message = { id: value.id, key: 's', value };
  expect(messageOf({ resentAt: null }, value)).toEqual(message);
  expect(messageOf({ resentAt: 7 }, value)).toEqual({ ...message, again: '7' });
});

test('one that is held still is published once more, and the table is not read', async () => {
  temporary.take([...turns(0, 1, 2), watermark(hour)]);
  const ids = temporary.journal.outbox.pending(9).map(({ trajectoryId }) => trajectoryId);
  temporary.journal.outbox.published(ids);
  const { again, readSession } = resealOver([]);
  expect(await again(...ids)).toEqual({ rowsRead: 0, rowsSent: 3, notRebuilt: [] });
  expect(temporary.journal.outbox.pending(9)).toMatchObject([{ trajectoryId: ids[0], resentAt: expect.any(Number) }]);
  expect(readSession).not.toHaveBeenCalled();
});

test('one that the table does not show as it was stays out, and is named', async () => {
  const [first, second, third] = turns(0, minute, minute);
  const id = lose([first!, second!, third!]);
  const refusalOver = async (...rows: Turn[]) => {
    const { again, onSent } = resealOver(rows);
    const { notRebuilt } = await again(id);
    expect(onSent).toHaveBeenCalledTimes(1 - notRebuilt.length);
    return notRebuilt;
  };
  const refusal = (reason: string) => [{ trajectoryId: id, sessionId: 's', reason }];
  expect(await refusalOver(first!, second!)).toEqual(refusal('other_rows'));
  expect(await refusalOver(first!, third!, second!)).toEqual(refusal('other_rows'));
  expect(await refusalOver(first!, { ...second!, response: '{}' }, third!)).toEqual(refusal('rows_altered'));
  expect(await refusalOver()).toEqual(refusal('other_rows'));
  expect(temporary.journal.outbox.depth()).toBe(0);
  expect(await refusalOver(first!, second!, third!)).toEqual([]);
});

test('a request for it is kept while the server is away, reads nothing else, and says what was not sent', async () => {
  const id = lose(turns(0, 1, 2));
  const requests = openRequests(temporary.path.replace('journal', 'requests'));
  const request: BackfillRequest = {
    id: 'r',
    reason: 'repair',
    since: null,
    until: null,
    resend: [{ trajectoryId: id, sessionId: 's' }],
  };
  requests.submit(request);
  const away = async () => {
    throw retry('source_unreachable', 'away');
  };
  const turn = async (reseal: ReturnType<typeof createReseal>) => {
    const openExisting = () => Promise.reject(new Error('the table is read'));
    const more = {
      journal: temporary.journal,
      requests,
      onResealed: () => {},
      store: () => ({ taken: 0, changed: 0 }),
      log: pino({ enabled: false }),
    };
    await new Injector({ source: { openExisting }, reseal, ...more }).turn(never);
    return requests.stateOf('r');
  };
  expect(await turn(away)).toMatchObject({ state: 'waiting' });
  expect(requests.next()).toMatchObject(request);
  const notRebuilt = [{ trajectoryId: id, sessionId: 's', reason: 'other_rows' as const }];
  const done = { state: 'done', rowsRead: 5, rowsTaken: 0, notRebuilt };
  expect(await turn(async () => ({ rowsRead: 5, rowsSent: 0, notRebuilt }))).toMatchObject(done);
  requests.close();
});
