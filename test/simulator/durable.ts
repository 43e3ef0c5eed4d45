/** The journal with the disk taken away: what a crash leaves, and what must hold of it at every commit. */
import type { Batch, Lsn, Micros, Position, Progress, Turn } from '../../src/records.ts';
import { dueAt, type PartState, type SessionRules } from '../../src/sessionizer/part.ts';
import {
  compareProgress,
  type KnownParts,
  type PartStep,
  type Step,
  watermarkOf,
} from '../../src/sessionizer/sessionize.ts';
import { inTurnOrder } from '../../src/sessionizer/trajectory.ts';
import { slack } from './server.ts';
import { demand } from './violation.ts';

export const rules: SessionRules & { maxBytes: number } = {
  idleTimeout: 600 * slack,
  endMarker: (turn) => turn.tool === 'finish',
  endGrace: 5 * slack,
  maxTurns: 5,
  maxBytes: 150,
  maxAge: 2_400 * slack,
  minTurns: 3,
  retain: 3_600 * slack,
};

/** What a crash leaves. */
export class Durable {
  progress: Progress | null = null;
  lastPosition: Position | null = null;
  watermark: Micros | null = null;
  history: 'none' | 'reading' | 'done' = 'none';
  /** Rows of the table are wanted beside the stream, from this time on. */
  injecting: { since: Micros | null } | null = null;
  knownBefore: Lsn | null = null;
  version = 0;
  readonly live = new Map<string, { part: PartState; turns: Turn[] }>();
  readonly nextParts = new Map<string, number>();
  readonly ended: { part: PartState; fate: string; rows: string[] }[] = [];
  /** The ledger: the part of each row that was ever taken in. */
  readonly partOf = new Map<string, string>();
  readonly skipped: Record<string, number> = {};

  readonly ledger = {
    knows: (turns: readonly Pick<Turn, 'rowKey'>[]) => turns.map(({ rowKey }) => this.partOf.has(rowKey)),
  };

  /** No row changes here. */
  sightings(turns: readonly Pick<Turn, 'rowKey'>[]): ('known' | 'unknown')[] {
    return turns.map(({ rowKey }) => (this.partOf.has(rowKey) ? 'known' : 'unknown'));
  }

  recall(batch: Batch): KnownParts {
    const parts = new Map<string, PartState>();
    const nextParts = new Map<string, number>();
    for (const id of batch.sessionIds) {
      const live = this.live.get(id);
      if (live === undefined) nextParts.set(id, this.nextParts.get(id) ?? 0);
      else parts.set(id, live.part);
    }
    const mark = watermarkOf(batch);
    if (mark !== null) for (const [id, { part }] of this.live) if (dueAt(part, rules) < mark) parts.set(id, part);
    const { version, progress, lastPosition, watermark } = this;
    return { version, progress, lastPosition, watermark, parts, nextParts };
  }

  commit(step: Step, batch: Batch): void {
    const later = this.progress !== null && compareProgress(batch.progress, this.progress) < 0;
    if (!later) this.progress = batch.progress;
    demand((step.watermark ?? 0) >= (this.watermark ?? 0), 'the watermark never steps back');
    this.lastPosition = step.lastPosition;
    this.watermark = step.watermark;
    if (batch.injected === undefined) this.history = batch.history?.state ?? this.history;
    else if (batch.history?.state === 'done') this.injecting = null;
    for (const part of step.parts) this.#write(part);
    for (const [reason, n] of Object.entries(step.counts.skipped))
      this.skipped[reason] = (this.skipped[reason] ?? 0) + n;
    this.version += 1;
  }

  dropHistory(): void {
    if (this.history !== 'reading') return;
    for (const map of [this.live, this.nextParts, this.partOf]) map.clear();
    this.ended.length = 0;
    for (const reason of Object.keys(this.skipped)) delete this.skipped[reason];
    Object.assign(this, { progress: null, lastPosition: null, watermark: null, history: 'none' });
  }

  #write({ part, appended, isNew, standing }: PartStep): void {
    const { sessionId } = part;
    const name = `${sessionId}/${part.part}`;
    const live = this.live.get(sessionId);
    if (isNew) {
      demand(live === undefined, 'a session has one open part at most');
      demand(part.part === (this.nextParts.get(sessionId) ?? 0), 'parts of a session are numbered without a gap');
    } else {
      demand(live !== undefined && live.part.part === part.part, 'a part that ended never changes');
    }
    for (const { rowKey } of appended) {
      demand(!this.partOf.has(rowKey), 'no row is taken in twice');
      this.partOf.set(rowKey, name);
    }
    const turns = isNew ? appended : [...live!.turns, ...appended];
    demand(turns.length === part.turns, 'a part counts its turns');
    if (standing.kind === 'open' || standing.kind === 'held') {
      this.live.set(sessionId, { part, turns });
      return;
    }
    this.live.delete(sessionId);
    this.nextParts.set(sessionId, part.part + 1);
    const rows = inTurnOrder(turns).map((turn) => turn.rowKey);
    this.ended.push({ part, fate: `${standing.kind} ${standing.reason}`, rows });
  }
}
