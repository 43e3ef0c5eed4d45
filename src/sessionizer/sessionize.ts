/**
 * Groups the stream's turns into parts of sessions. Pure: what was known, a batch and the rules give the next state and
 * what closed. It reads no clock, so the same WAL gives the same parts, however it was cut into batches.
 *
 *              turn                    watermark or next turn beyond the boundary
 *   (none) ───────────▶ open ──────────────────────────┬── ≥ minTurns ─▶ sealed ─▶ outbox
 *                        ▲ │ cap, before the next row ─▶│
 *                        │ └────────────────────────────┴── fewer ─────▶ held ── retain passed ─▶ released
 *                        └──────────────── the session's next turn ───────┘
 */
import { type Batch, type Micros, microsOf, type Position, type Progress, type Turn } from '../records.ts';
import {
  type PartState,
  type ReleaseReason,
  type SessionRules,
  type Standing,
  standingAt,
  standingAtCap,
  unknownTime,
} from './part.ts';

export type { PartState, SessionRules, Standing };

/** What a batch is judged against: the journal's answer to `recall`. */
export interface KnownParts {
  /** Counts commits. A step that was computed against an older state is refused by `commit`. */
  version: number;
  progress: Progress | null;
  /** The last row taken; what stands at or before it is known. */
  lastPosition: Position | null;
  watermark: Micros | null;
  /** Open and held parts, by session: there is at most one a session. */
  parts: ReadonlyMap<string, PartState>;
  /** Number of the next part of sessions that have none; 0 where absent. */
  nextParts: ReadonlyMap<string, number>;
}

/** What a batch did to one part. */
export interface PartStep {
  part: PartState;
  /** In order of arrival. */
  appended: Turn[];
  /** It began in this batch. */
  isNew: boolean;
  standing: Standing;
}

export interface StepCounts {
  /** Taken in. */
  rows: number;
  /** Known already: the source was replayed. */
  replayed: number;
  skipped: Record<string, number>;
  /** Parts that closed with too few turns; they may be joined later. */
  held: number;
  /** Sealed parts, by reason. */
  closes: Record<string, number>;
  /** Parts let go, by reason, and their rows. */
  released: Record<string, { parts: number; rows: number }>;
}

export interface Step {
  version: number;
  /** Touched parts; those of one session in order. At most the last of a session is open or held. */
  parts: PartStep[];
  lastPosition: Position | null;
  watermark: Micros | null;
  counts: StepCounts;
}

/** Below zero where `a` stands before `b`. */
export function comparePositions(a: Position, b: Position): number {
  if (a.lsn !== b.lsn) return a.lsn < b.lsn ? -1 : 1;
  return a.ordinal - b.ordinal;
}

/** Up to where a batch can close parts: what `recall` must be asked for. Infinite at the end of history. */
export function watermarkOf(batch: Batch): Micros | null {
  if (batch.history?.state === 'done') return Number.POSITIVE_INFINITY;
  if (batch.history !== undefined) return null;
  let highest: Micros | null = null;
  for (const change of batch.changes) {
    if (change.kind === 'watermark' && (highest === null || change.at > highest)) highest = change.at;
  }
  return highest;
}

/** UTF-8 bytes of a turn's text. */
export function bytesOf(turn: Turn): number {
  let bytes = Buffer.byteLength(turn.rowKey);
  for (const text of [turn.agent, turn.tool, turn.arguments, turn.response, turn.costUsd, turn.durationMs]) {
    if (text !== null) bytes += Buffer.byteLength(text);
  }
  for (const [name, text] of Object.entries(turn.metadata ?? {})) {
    bytes += Buffer.byteLength(name) + (text === null ? 0 : Buffer.byteLength(text));
  }
  return bytes;
}

/**
 * @throws RangeError where positions do not ascend within the batch: the source is broken, and taking its rows for
 * known ones would lose them.
 */
export function sessionize(known: KnownParts, batch: Batch, rules: SessionRules): Step {
  const grouping = new Grouping(known, rules, batch.history !== undefined);
  for (const change of batch.changes) {
    if (change.kind === 'watermark') grouping.advance(change.at);
    else grouping.take(change.turn);
  }
  if (batch.history?.state === 'done') grouping.endHistory(batch.history.snapshotAt);
  else grouping.settle();
  return grouping.step(batch);
}

/** One batch in work. Parts of different sessions never touch each other. */
class Grouping {
  readonly #known: KnownParts;
  readonly #rules: SessionRules;
  /** The idle rule and the watermark are off. */
  readonly #history: boolean;
  readonly #live = new Map<string, PartStep>();
  readonly #touched = new Set<PartStep>();
  readonly #counts: StepCounts = { rows: 0, replayed: 0, skipped: {}, held: 0, closes: {}, released: {} };
  #watermark: Micros | null;
  #previous: Position | null = null;

  constructor(known: KnownParts, rules: SessionRules, history: boolean) {
    this.#known = known;
    this.#rules = rules;
    this.#history = history;
    this.#watermark = known.watermark;
    for (const [sessionId, part] of known.parts) {
      this.#live.set(sessionId, { part: { ...part }, appended: [], isNew: false, standing: { kind: 'open' } });
    }
  }

  advance(at: Micros): void {
    if (this.#history) return;
    if (this.#watermark === null || at > this.#watermark) this.#watermark = at;
  }

  take(turn: Turn): void {
    if (this.#isKnown(turn.position)) {
      this.#counts.replayed += 1;
      return;
    }
    const bytes = bytesOf(turn);
    const before = this.#live.get(turn.sessionId);
    const activity = activityOf(turn, before?.part.lastAt ?? unknownTime);
    if (before !== undefined) this.#makeWay(before, bytes, activity);
    const step = this.#live.get(turn.sessionId) ?? this.#begin(turn.sessionId, (before?.part.part ?? -1) + 1, activity);
    append(step, turn, bytes, activity, this.#rules);
    this.#touched.add(step);
    this.#counts.rows += 1;
  }

  /** Applies the watermark to every part at hand. Doing so once a batch is enough: `take` applies it to its own part. */
  settle(): void {
    if (this.#history || this.#watermark === null) return;
    for (const step of [...this.#live.values()]) this.#judge(step, this.#watermark);
  }

  /**
   * What had been idle at the snapshot closes; the stream goes on with the rest. Its rows were committed before the
   * snapshot, whatever an agent's clock says: a time ahead of it would keep a part open until then.
   */
  endHistory(snapshotAt: Micros): void {
    for (const step of [...this.#live.values()]) {
      const { part } = step;
      if (part.lastAt > snapshotAt) {
        part.firstAt = Math.min(part.firstAt, snapshotAt);
        part.openedAt = Math.min(part.openedAt, snapshotAt);
        part.lastAt = snapshotAt;
        if (part.endMarkerAt !== null) part.endMarkerAt = Math.min(part.endMarkerAt, snapshotAt);
        this.#touched.add(step);
      }
      if (part.lastAt + this.#rules.idleTimeout >= snapshotAt) continue;
      if (part.turns >= this.#rules.minTurns) this.#end(step, { kind: 'sealed', reason: 'history' });
      else this.#hold(step);
    }
  }

  step(batch: Batch): Step {
    if (!this.#isReplay(batch)) this.#counts.skipped = { ...batch.skipped };
    return {
      version: this.#known.version,
      parts: [...this.#touched],
      lastPosition: laterOf(this.#known.lastPosition, this.#previous),
      watermark: this.#watermark,
      counts: this.#counts,
    };
  }

  #isKnown(position: Position): boolean {
    if (this.#previous !== null && comparePositions(position, this.#previous) <= 0) {
      const at = `${position.lsn} #${position.ordinal}`;
      throw new RangeError(
        `row at ${at} came after ${this.#previous.lsn} #${this.#previous.ordinal}: not in WAL order`,
      );
    }
    this.#previous = position;
    const last = this.#known.lastPosition;
    return last !== null && comparePositions(position, last) <= 0;
  }

  /** Closes the part a turn would join, where the turn comes too late for it or does not fit. */
  #makeWay(step: PartStep, bytes: number, activity: Micros): void {
    const { part } = step;
    if (this.#history) {
      if (part.endMarkerAt !== null && activity > part.endMarkerAt + this.#rules.endGrace) part.endMarkerAt = null;
    } else {
      if (this.#watermark !== null) this.#judge(step, this.#watermark);
      if (step.standing.kind === 'open') this.#judge(step, activity);
    }
    if (step.standing.kind !== 'open') return;
    if (part.held) reopen(part, activity);
    const standing = standingAtCap(part, bytes, activity, this.#rules);
    if (standing.kind !== 'open') this.#end(step, standing);
  }

  #begin(sessionId: string, following: number, activity: Micros): PartStep {
    const number = following > 0 ? following : (this.#known.nextParts.get(sessionId) ?? 0);
    const times = { firstAt: activity, openedAt: activity, lastAt: activity };
    const part = { sessionId, part: number, turns: 0, bytes: 0, ...times, endMarkerAt: null, held: false };
    const step: PartStep = { part, appended: [], isNew: true, standing: { kind: 'open' } };
    this.#live.set(sessionId, step);
    return step;
  }

  #judge(step: PartStep, at: Micros): void {
    const standing = standingAt(step.part, at, this.#rules);
    if (standing.kind === 'open') return;
    if (standing.kind === 'held') this.#hold(step);
    else this.#end(step, standing);
  }

  #hold(step: PartStep): void {
    if (step.part.held) return;
    step.part.held = true;
    this.#touched.add(step);
    this.#counts.held += 1;
  }

  #end(step: PartStep, standing: Standing): void {
    step.standing = standing;
    this.#live.delete(step.part.sessionId);
    this.#touched.add(step);
    const { closes, released } = this.#counts;
    if (standing.kind === 'sealed') closes[standing.reason] = (closes[standing.reason] ?? 0) + 1;
    if (standing.kind === 'released') countReleased(released, standing.reason, step.part.turns);
  }

  /** A batch that was committed before: what it skipped is counted already. */
  #isReplay(batch: Batch): boolean {
    if (batch.history !== undefined || this.#known.progress === null) return false;
    if (this.#counts.replayed > 0 && this.#counts.rows === 0) return true;
    return compareProgress(batch.progress, this.#known.progress) < 0;
  }
}

/** A held part that is taken up again: its end marker has had its effect, and its age counts anew. */
function reopen(part: PartState, activity: Micros): void {
  part.held = false;
  part.openedAt = activity;
  part.endMarkerAt = null;
}

function append(step: PartStep, turn: Turn, bytes: number, activity: Micros, rules: SessionRules): void {
  const { part } = step;
  if (part.lastAt === unknownTime) {
    part.firstAt = activity;
    part.openedAt = activity;
  }
  part.turns += 1;
  part.bytes += bytes;
  part.lastAt = activity;
  if (part.endMarkerAt === null && rules.endMarker?.(turn)) part.endMarkerAt = activity;
  step.appended.push(turn);
}

/** Commit time, never before the session's previous turn; in history, which has none, the row's own time. */
function activityOf(turn: Turn, previous: Micros): Micros {
  const at = turn.committedAt ?? (turn.createdAt === null ? null : microsOf(turn.createdAt));
  return at === null || !Number.isFinite(at) ? previous : Math.max(previous, at);
}

function countReleased(released: StepCounts['released'], reason: ReleaseReason, rows: number): void {
  const entry = released[reason] ?? { parts: 0, rows: 0 };
  released[reason] = { parts: entry.parts + 1, rows: entry.rows + rows };
}

function laterOf(a: Position | null, b: Position | null): Position | null {
  if (a === null || b === null) return a ?? b;
  return comparePositions(a, b) >= 0 ? a : b;
}

/** Below zero where a restart from `a` begins before one from `b`. */
export function compareProgress(a: Progress, b: Progress): number {
  if (a.resumeLsn !== b.resumeLsn) return a.resumeLsn < b.resumeLsn ? -1 : 1;
  if (a.partial === null || b.partial === null) return Number(a.partial !== null) - Number(b.partial !== null);
  return comparePositions(a.partial, b.partial);
}
