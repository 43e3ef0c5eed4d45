/** Commits one batch after another to the journal at `argv[2]` and says so on stdout, until it is killed. */
import { writeSync } from 'node:fs';
import { openJournal } from '../../src/sessionizer/journal.ts';
import { lockDataDir } from '../../src/sessionizer/lock.ts';
import { sessionize, watermarkOf } from '../../src/sessionizer/sessionize.ts';
import { batchOf, LogWriter, rules } from './log.ts';

const [, , dir, limit] = process.argv;
lockDataDir(dir!);
const journal = openJournal(`${dir}/journal.sqlite`, { source: 'test', rules });
const log = new LogWriter();
for (let n = 0; n < Number(limit); n += 1) {
  const turns = ['a', 'b', 'c'].map((session, i) => log.turn({ session, at: n * 3 + i, response: 'x'.repeat(200) }));
  const batch = batchOf(turns);
  try {
    journal.commit(sessionize(journal.recall(batch.sessionIds, watermarkOf(batch)), batch, rules), batch);
  } catch (error) {
    writeSync(1, `error ${(error as { code?: string }).code}\n`);
    process.exit(1);
  }
  writeSync(1, `${journal.totals().rows}\n`);
}
writeSync(1, 'waiting\n');
setInterval(() => {}, 1000);
