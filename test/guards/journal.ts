// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source text
/** Guards of what is durable: the journal, its outbox and ledger, and the one process that may write them. */
import type { Guard } from './guard.ts';

const journal = 'src/sessionizer/journal.ts';
const outbox = 'src/sessionizer/outbox.ts';
const capturing = 'src/capturing.ts';
const journalTest = ['test/sessionizer/journal.test.ts'];

export const journalGuards: Guard[] = [
  {
    name: 'journal: every commit is fsynced',
    file: 'src/sqlite.ts',
    old: "{ what, migrations, synchronous = 'full', readonly = false, autoVacuum, pageSize }",
    new: "{ what, migrations, synchronous = 'normal', readonly = false, autoVacuum, pageSize }",
    tests: ['test/sessionizer/power-loss.test.ts'],
  },
  {
    name: 'journal: the position is stored before the server hears it',
    file: capturing,
    old: '      store(batch, loop);\n      if (journal.resumeLsn !== null) await source.confirm(journal.resumeLsn);',
    new: '      await source.confirm(batch.progress.resumeLsn);\n      store(batch, loop);',
    tests: ['test/capturing.test.ts'],
  },
  {
    name: 'injection: rows that were taken in before are left out',
    file: capturing,
    old: 'const fresh = withoutTaken(received, journal);',
    new: 'const fresh = received;',
    tests: ['test/capturing.test.ts'],
  },
  {
    name: 'injection: a snapshot is read once the stream has passed what it sees',
    file: 'src/injecting.ts',
    old: 'if (opened === null || resumeLsn === null || resumeLsn < opened.rows.seenBefore) return;',
    new: 'if (opened === null || resumeLsn === null) return;',
    tests: ['test/capturing.test.ts'],
  },
  {
    name: 'injection: one that a crash cut short is read again',
    file: 'src/injecting.ts',
    old: 'if (injection === null) return;',
    new: 'if (injection !== undefined) return;',
    tests: ['test/capturing.test.ts'],
  },
  {
    name: 'journal: a step of an older state is refused',
    file: journal,
    old: 'if (step.version !== this.#version) {',
    new: 'if (step.version > this.#version) {',
    tests: journalTest,
  },
  {
    name: 'journal: a replay does not take the position back',
    file: journal,
    old: 'const later = known !== null && compareProgress(progress, known) < 0 ? known : progress;',
    new: 'const later = progress;',
    tests: journalTest,
  },
  {
    name: 'journal: turns, parts and position are one transaction',
    file: journal,
    old: 'return this.#guard(() => this.#db.transaction(work).immediate());',
    new: 'return this.#guard(work);',
    tests: ['test/capturing.test.ts'],
  },
  {
    name: 'journal: a file of another source is refused',
    file: journal,
    old: 'else if (known !== source) throw otherSource(path, known, source);',
    new: '',
    tests: journalTest,
  },
  {
    name: 'journal: history that broke off is forgotten whole',
    file: journal,
    old: "for (const table of ['chunks', 'parts', 'states', 'sealed', 'sessions', 'counters', 'ledger', 'receipts']) {",
    new: "for (const table of ['chunks', 'sealed', 'sessions', 'counters']) {",
    tests: ['test/capturing.test.ts'],
  },
  {
    name: 'injection: it is over with its last batch',
    file: journal,
    old: "if (endsInjection) dropFact(this.#db, 'injection');",
    new: '',
    tests: ['test/sessionizer/injection.test.ts'],
  },
  {
    name: 'another slot: the positions of the former one make no row known',
    file: journal,
    old: 'progress, lastPosition: null, watermark: null };',
    new: 'progress, watermark: null };',
    tests: ['test/sessionizer/injection.test.ts'],
  },
  {
    name: 'ledger: what was disowned counts as unknown',
    file: 'src/sessionizer/ledger.ts',
    old: 'if (!disowned.has(row.lowestPart + part)) known',
    new: 'known',
    tests: ['test/sessionizer/ledger.test.ts', 'test/sessionizer/injection.test.ts'],
  },
  {
    name: 'outbox: the same row keys make one trajectory',
    file: 'src/sessionizer/journal-write.ts',
    old: "if (this.#sql.insertSealed.run(...values).changes === 1) return { kind: 'sealed', trajectoryId };",
    new: "this.#sql.insertSealed.run(...values);\n    if (values.length > 0) return { kind: 'sealed', trajectoryId };",
    tests: journalTest,
  },
  {
    name: 'outbox: part numbers are never given twice',
    file: 'src/sessionizer/journal-write.ts',
    old: 'this.#sql.setNextPart.run(part.sessionId, part.part + 1);',
    new: '',
    tests: journalTest,
  },
  {
    name: 'outbox: nothing of a history that may start over goes out',
    file: outbox,
    old: 'isReadingHistory(this.#db) ? [] : ',
    new: '',
    tests: journalTest,
  },
  {
    name: 'outbox: what is not published keeps its body',
    file: outbox,
    old: "WHERE trajectory_id = ? AND published = 1',",
    new: "WHERE trajectory_id = ?',",
    tests: journalTest,
  },
  {
    name: 'data directory: one process captures into it',
    file: 'src/sessionizer/lock.ts',
    old: "db.exec('BEGIN EXCLUSIVE');",
    new: "db.exec('BEGIN');",
    tests: ['test/sessionizer/crash.test.ts'],
  },
  {
    name: 'data directory: a file of a newer version is left alone',
    file: 'src/sqlite.ts',
    old: 'if (version > migrations.length) {',
    new: 'if (version > migrations.length + 100) {',
    tests: journalTest,
  },
  {
    name: 'file size: freed pages go back',
    file: 'src/sessionizer/space.ts',
    old: 'this.#db.pragma(`incremental_vacuum(${given})`);',
    new: '',
    tests: ['test/sessionizer/space.test.ts'],
  },
  {
    name: 'due queue: what moved is put where it belongs',
    file: 'src/sessionizer/due-queue.ts',
    old: 'if (dueAt >= at) {\n        this.#sink(0, slot);\n      } else {',
    new: 'if (dueAt >= at) {\n        this.delete(slot);\n      } else {',
    tests: ['test/sessionizer/due-queue.test.ts'],
  },
  {
    name: 'trajectories: the order of arrival does not matter',
    file: 'src/sessionizer/trajectory.ts',
    old: 'return timed.sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at))).map(({ turn }) => turn);',
    new: 'return timed.map(({ turn }) => turn);',
    tests: ['test/sessionizer/trajectory.test.ts'],
  },
];
