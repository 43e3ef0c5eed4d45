/**
 * Named places in the code where a crash would be most telling. They do nothing, unless a test or a drill arms one
 * through the environment: the process then ends there as if by SIGKILL.
 */

/** Where a crash can be ordered, and what is true there. */
export const crashPoints = {
  'batch.received': 'a batch is in memory',
  'store.committing': 'the transaction of the journal is written and not yet committed',
  'store.committed': 'the journal holds the batch, and Postgres has not been told',
  'confirm.sent': 'Postgres has been told',
  'outbox.publishing': 'trajectories are about to be published',
  'outbox.published': 'the topic holds them, and the outbox does not know',
  'outbox.marked': 'the outbox knows',
  'outbox.forgotten': 'bodies of finished trajectories are gone',
  'history.reading': 'some of the history is in the journal',
  'history.done': 'all of the history is in the journal, and the stream has not begun',
  'injection.reading': 'some rows that come in beside the stream are in the journal',
  'injection.done': 'all of them are',
  'recover.created': 'recover has made a new slot, and the journal still names the old one',
  'recover.adopted': 'the journal names the new slot',
  'compile.recorded': 'the answer of a model is recorded and not yet used',
  'compile.published': 'the topic holds what was compiled, and the trajectory is not acknowledged',
  'sink.written': 'a sink holds the message, and it is not acknowledged',
} as const;

export type CrashPoint = keyof typeof crashPoints;

/** `store.committed:3`: at the third time that this process passes the point. */
const armed = parse(process.env.TRAJECTORY_COMPILER_CRASH_AT);
let passed = 0;

export function crashPoint(name: CrashPoint): void {
  if (armed === null || armed.name !== name) return;
  passed += 1;
  if (passed === armed.time) process.kill(process.pid, 'SIGKILL');
}

function parse(text: string | undefined): { name: string; time: number } | null {
  if (text === undefined) return null;
  const [name = '', time = '1'] = text.split(':');
  // A drill that misspells a point would prove nothing.
  if (!(name in crashPoints)) throw new Error(`no crash point ${name}: ${Object.keys(crashPoints).join(', ')}`);
  return { name, time: Number(time) };
}
