/**
 * Trajectories that were published and are lost further down, sent once more as what they were: the ledger says which rows
 * went into each, and the table still has them. Nothing is taken in anew, so doing it again is harmless.
 */
import type { AuditReader } from './postgres/rows.ts';
import { LedgerView, type Sighting } from './reconcile/ledger-view.ts';
import type { Turn } from './records.ts';
import type { LostTrajectory, NotRebuilt } from './requests.ts';
import type { RowDigester } from './row-digest.ts';
import type { Journal } from './sessionizer/journal.ts';
import { inTurnOrder, trajectoryIdOf } from './sessionizer/trajectory.ts';

export interface ResealOptions {
  journal: Journal;
  digester: RowDigester;
  /** Of rows that the exclude rules leave out too: a trajectory may be older than a rule. */
  openReader(): Promise<Pick<AuditReader, 'source' | 'readSession' | 'close'>>;
}

export interface Resealed {
  /** In the sessions that were read. */
  rowsRead: number;
  /** In the trajectories that go out again. */
  rowsSent: number;
  notRebuilt: NotRebuilt[];
}

/**
 * Ends early where the signal fires.
 *
 * @param onSent called for each trajectory that goes out again, once that is durable: also where the rest then fails.
 * @throws OperatorError as `openAuditReader` and the journal do.
 */
export type Reseal = (lost: readonly LostTrajectory[], signal: AbortSignal, onSent: () => void) => Promise<Resealed>;

/** Of the process that captures, which holds little else. */
const cachedLedgerBytes = 64 * 2 ** 20;

export function createReseal({ journal, digester, openReader }: ResealOptions): Reseal {
  return async (lost, signal, onSent) => {
    const sum: Resealed = { rowsRead: 0, rowsSent: 0, notRebuilt: [] };
    const gone = lost.filter(({ trajectoryId }) => {
      const held = journal.outbox.publishAgain(trajectoryId);
      if (held === null) return true;
      sum.rowsSent += held;
      onSent();
      return false;
    });
    if (gone.length === 0) return sum;
    const isComparable = journal.digestKeys().every((id) => id === digester.keyId);
    const view = new LedgerView(journal.ledger, isComparable, cachedLedgerBytes);
    const reader = await openReader();
    try {
      for (const [sessionId, ids] of bySession(gone)) {
        if (signal.aborted) break;
        const session = seen(await reader.readSession(sessionId), view, digester);
        sum.rowsRead += session.length;
        for (const trajectoryId of ids) {
          const part = rebuild({ trajectoryId, sessionId }, session, reader.source);
          if ('reason' in part) {
            sum.notRebuilt.push(part);
            continue;
          }
          journal.reseal(part);
          sum.rowsSent += part.turns.length;
          onSent();
        }
      }
    } finally {
      await reader.close();
    }
    return sum;
  };
}

function bySession(lost: readonly LostTrajectory[]): Map<string, string[]> {
  const sessions = new Map<string, string[]>();
  for (const { sessionId, trajectoryId } of lost) {
    const ids = sessions.get(sessionId);
    if (ids === undefined) sessions.set(sessionId, [trajectoryId]);
    else ids.push(trajectoryId);
  }
  return sessions;
}

interface SeenTurn {
  turn: Turn;
  sight: Sighting;
}

/** The rows that were taken in. */
function seen(turns: readonly Turn[], view: LedgerView, digester: RowDigester): SeenTurn[] {
  return turns.flatMap((turn) => {
    const sight = view.sightOf({ ...turn, digest: digester.digestOf(turn) });
    return sight === null ? [] : { turn, sight };
  });
}

/** The id is of the row keys in their order: where it comes out the same, they are the rows, all of them and in order. */
function rebuild({ trajectoryId, sessionId }: LostTrajectory, session: readonly SeenTurn[], source: string) {
  const its = session.filter(({ sight: { fate } }) => fate.kind === 'sealed' && fate.trajectoryId === trajectoryId);
  const turns = inTurnOrder(its.map(({ turn }) => turn));
  const rowKeys = turns.map(({ rowKey }) => rowKey);
  const notRebuilt = (reason: NotRebuilt['reason']): NotRebuilt => ({ trajectoryId, sessionId, reason });
  if (trajectoryIdOf(source, sessionId, rowKeys) !== trajectoryId) return notRebuilt('other_rows');
  if (its.some(({ sight }) => sight.same === false)) return notRebuilt('rows_altered');
  const { partId } = its[0]!.sight;
  return { trajectoryId, sessionId, partId, part: endedBefore(partId, session), turns };
}

/** Parts of a session are numbered as they end, and their ids ascend with that. */
function endedBefore(partId: number, session: readonly SeenTurn[]): number {
  const ended = session.filter(({ sight }) => sight.fate.kind !== 'live').map(({ sight }) => sight.partId);
  return new Set(ended.filter((id) => id < partId)).size;
}
