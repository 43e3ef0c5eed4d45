import { afterEach, beforeEach, expect, test } from 'vitest';
import { hour, LogWriter, watermark } from './log.ts';
import { TemporaryJournal } from './temporary-journal.ts';

let temporary: TemporaryJournal;
beforeEach(() => {
  temporary = new TemporaryJournal();
});
afterEach(() => temporary.remove());

test('what is about to be published says whose it is', () => {
  const log = new LogWriter();
  const rows = (session: string, agent: string | null) => [0, 1, 2].map(() => ({ ...log.turn({ session }), agent }));
  temporary.take([...rows('a', 'inbox'), ...rows('b', null), watermark(hour)]);
  const agents = temporary.journal.outbox.pending(9).map(({ sessionId, agent }) => [sessionId, agent]);
  expect(agents).toEqual([
    ['a', 'inbox'],
    ['b', null],
  ]);
});
