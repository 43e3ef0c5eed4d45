import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Batch, Change, Turn } from '../../src/records.ts';
import { trajectorySchema } from '../../src/records.ts';
import { type Journal, openJournal, openJournalReader } from '../../src/sessionizer/journal.ts';
import { type SessionRules, sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import { batchOf, day, hour, LogWriter, minute, rules, second, start, watermark } from './log.ts';

let dir: string;
let path: string;
const opened: Journal[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'journal-'));
  path = join(dir, 'journal.sqlite');
});

afterEach(() => {
  for (const journal of opened.splice(0)) journal.close();
  rmSync(dir, { recursive: true });
});

function open(more: Partial<SessionRules> = {}, source = 'test'): Journal {
  const journal = openJournal(path, { source, rules: { ...rules, ...more } });
  opened.push(journal);
  return journal;
}

/** Closes and opens again, as a restart does. */
function reopen(journal: Journal): Journal {
  opened.splice(opened.indexOf(journal), 1);
  journal.close();
  return open();
}

function take(journal: Journal, changes: (Change | Turn)[], more: Partial<Batch> = {}): void {
  const progress = journal.progress;
  const turns = changes.some((c) => !('kind' in c));
  const batch = batchOf(changes, turns || progress === null ? more : { progress, ...more });
  journal.commit(sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, rules), batch);
}

describe('a journal', () => {
  test('gives a sealed part back as the trajectory of its rows, text unchanged', () => {
    const log = new LogWriter();
    const journal = open();
    const turns = [
      log.turn({
        at: 2 * second,
        response: '{"n": 1.10, "s": "é ⟦☃⟧ \\u0000 🙂"}',
        metadata: { tenant: 'a', note: null },
      }),
      log.turn({ at: 1 * second, response: null }),
      log.turn({ at: 3 * second, response: '' }),
    ];
    take(journal, turns.slice(0, 2));
    take(journal, turns.slice(2));
    take(journal, [watermark(hour)]);
    const [ref] = journal.outbox.pending(10);
    const trajectory = journal.outbox.assemble(ref!.trajectoryId);
    expect(trajectorySchema.parse(trajectory)).toEqual(trajectory);
    expect(trajectory).toMatchObject({
      id: ref!.trajectoryId,
      source: 'test',
      sessionId: 's',
      part: 0,
      closedBy: 'idle',
    });
    expect(trajectory.turns).toEqual([turns[1], turns[0], turns[2]]);
    expect(trajectory).toMatchObject({ agents: ['inbox'], startedAt: start + 2 * second, endedAt: start + 3 * second });
  });
});
