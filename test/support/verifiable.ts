/** A dataset whose pairs are there to be looked at again. */
import { join } from 'node:path';
import { openCallStore } from '../../src/compile/calls.ts';
import { createCompileStage } from '../../src/compile/compile.ts';
import type { DraftPair } from '../../src/compile/compiler.ts';
import { noRedaction } from '../../src/compile/redact/redactor.ts';
import { createLogger } from '../../src/log.ts';
import type { Compiled, CompilerVersion } from '../../src/records.ts';
import { openSqliteSink } from '../../src/sinks/sqlite.ts';
import { knows, reader } from './reader.ts';
import { parcelRows, trajectoryOf } from './trajectories.ts';

const never = new AbortController().signal;
export const byModel: CompilerVersion = {
  kind: 'llm',
  tier: 'cheap',
  model: 'gemini-3.5-flash-lite',
  promptVersion: 'v1',
  redaction: 'off',
};
export const byRules: CompilerVersion = { ...byModel, kind: 'rules', tier: 'rules', model: 'rules' };

/**
 * What compiling the parcel desk has left in a data directory, a session for each list of drafts; `mend` makes of a
 * message what older gates let through.
 */
export async function compileInto(
  dir: string,
  version: CompilerVersion,
  sessions: DraftPair[][],
  mend = (message: Compiled): Compiled => message,
): Promise<void> {
  const calls = openCallStore(join(dir, 'calls.sqlite'));
  const sink = openSqliteSink({ path: join(dir, 'qa_pairs.sqlite'), log: createLogger('silent') });
  for (const [at, drafts] of sessions.entries()) {
    const propose = async () => ({ drafts, calls: [], malformed: [], emptyReason: null });
    const stage = createCompileStage({ compiler: { version, propose }, calls, redactor: noRedaction });
    const trajectory = trajectoryOf(parcelRows, { id: `trajectory-${at}`, sessionId: `session-${at}` });
    await sink.write(mend(await stage.compileTrajectory(trajectory, never)), never);
  }
  await sink.close();
  await calls.close();
}

/** Lets the pair about who leads the depot pass. */
export const letsLeadPass = reader(knows(['case: C-71', 'shelf: B7', 'lead: Tamsin Okafor'], 'Tamsin Okafor'));
