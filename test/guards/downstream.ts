// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are pieces of source text
/** Guards of what comes after capture: topics, claims, compiling and sinks. */
import type { Guard } from './guard.ts';

const store = 'src/topic/store.ts';
const statements = 'src/topic/statements.ts';
const embedded = ['test/topic/embedded.test.ts'];
const sqlite = ['test/sinks/sqlite.test.ts'];

export const downstreamGuards: Guard[] = [
  {
    name: 'topic: an id that was finished is not taken again',
    file: store,
    old: 'if (finished.get(this.#topic, message.id) !== undefined) return false;',
    new: '',
    tests: embedded,
  },
  {
    name: 'topic: the messages of a key wait for the first',
    file: statements,
    old: 'NOT EXISTS (SELECT 1 FROM deliveries WHERE group_number = @group AND key = @key),',
    new: '1,',
    tests: embedded,
  },
  {
    name: 'topic: a lease that was lost records nothing',
    file: statements,
    old: "owned: db.prepare('SELECT * FROM deliveries WHERE place = ? AND owner = ? AND attempts = ?'),",
    new: "owned: db.prepare('SELECT * FROM deliveries WHERE place = ? AND ? != 0 AND ? != 0'),",
    tests: embedded,
  },
  {
    name: 'topic: a message whose consumers keep dying is parked',
    file: store,
    old: 'if (killsItsConsumer(row)) {',
    new: 'if (false) {',
    tests: embedded,
  },
  {
    name: 'topic: what failed too often is parked',
    file: 'src/topic/decide.ts',
    old: "if (kind === 'park' || failures >= maxAttempts) return",
    new: "if (kind === 'park') return",
    tests: ['test/topic/decide.test.ts'],
  },
  {
    name: 'kafka: a partition is not taken from a holder that is in the group',
    file: 'src/topic/kafka/handover.ts',
    old: 'if (held.length === 0) return wanted;',
    new: 'return wanted;',
    tests: ['test/topic/kafka-handover.test.ts'],
  },
  {
    name: 'kafka: nothing is ours before our name is written',
    file: 'src/topic/kafka/handover.ts',
    old: 'return (await claim(open)) ? open : [];',
    new: 'await claim(open);\n  return open;',
    tests: ['test/topic/kafka-handover.test.ts'],
  },
  {
    name: 'kafka: bytes that are not those that were sent are parked',
    file: 'src/topic/kafka/envelope.ts',
    old: "if (createHash('sha256').update(bytes).digest('hex') !== sha256) {",
    new: "if (createHash('sha256').update(bytes).digest('hex') === '') {",
    tests: ['test/topic/kafka-envelope.test.ts'],
  },
  {
    name: 'claims: rows that were changed since are refused',
    file: 'src/transport/claims.ts',
    old: 'if (contentHashOf(turns) !== claim.contentHash) {',
    new: "if (contentHashOf(turns) === '') {",
    tests: ['test/transport/claims.test.ts'],
  },
  {
    name: 'claims: rows that are gone are told',
    file: 'src/transport/claims.ts',
    old: 'if (turns.length < rowKeys.length) {',
    new: 'if (turns.length > rowKeys.length) {',
    tests: ['test/transport/claims.test.ts'],
  },
  {
    name: 'claims: another table’s rows are not read in their place',
    file: 'src/transport/claims.ts',
    old: 'if (claim.source !== reader.source) {',
    new: "if (claim.source === '') {",
    tests: ['test/transport/claims.test.ts'],
  },
  {
    name: 'redaction: what could not be redacted is parked',
    file: 'src/compile/redact/redactor.ts',
    old: '    throw refusal(trajectory, error);',
    new: '    return { trajectory, counts: {} };',
    tests: ['test/compile/compile.test.ts'],
  },
  {
    name: 'redaction: digests stay with their rows',
    file: 'src/compile/redact/redactor.ts',
    old: "if (redacted.turns.length !== turns.length) throw new Error('redaction changed the number of turns');",
    new: '',
    tests: ['test/compile/compile.test.ts'],
  },
  {
    name: 'sinks: an older message changes nothing',
    file: 'src/sinks/sqlite.ts',
    old: "WHERE excluded.generation ${wins === 'greatest' ? '>' : '<'} ${table}.generation`;",
    new: 'WHERE ${wins.length} > 0`;',
    tests: sqlite,
  },
  {
    name: 'sinks: the newest compile of a segment is in force',
    file: 'src/sinks/sqlite.ts',
    old: 'SELECT max(generation) FROM segments',
    new: 'SELECT min(generation) FROM segments',
    tests: sqlite,
  },
  {
    name: 'sinks: a compile that failed does not hide one that gave pairs',
    file: 'src/sinks/generation.ts',
    old: "const decided = outcome === 'compiled' || outcome === 'no_structure';",
    new: "const decided = outcome !== 'skipped';",
    tests: sqlite,
  },
  {
    name: 'sinks: all of a message or nothing',
    file: 'src/sinks/sqlite.ts',
    old: 'return db.transaction((rows: StoredRows): number => {',
    new: 'return ((work: (rows: StoredRows) => number) => Object.assign(work, { immediate: work }))((rows: StoredRows): number => {',
    tests: sqlite,
  },
  {
    name: 'digests: no two rows run together',
    file: 'src/row-digest.ts',
    old: "return value === null ? '-' : `${value.length}:${value}`;",
    new: "return value ?? '-';",
    tests: ['test/row-digest.test.ts'],
  },
];
