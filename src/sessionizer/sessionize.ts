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
  const mode = batch.history === undefined ? 'stream' : batch.injected === true ? 'injection' : 'history';
  const grouping = new Grouping(known, rules, mode);
  for (const change of batch.changes) {
    if (change.kind === 'watermark') grouping.advance(change.at);
    else grouping.take(change.turn);
  }
  if (batch.history?.state === 'done') grouping.endHistory(batch.history.snapshotAt);
  else grouping.settle();
  return grouping.step(batch);
}

/** Where rows come from: the stream, the table before there is a stream, or the table beside it. */
type Mode = 'stream' | 'history' | 'injection';

/** One batch in work. Parts of different sessions never touch each other. */
class Grouping {
  readonly #known: KnownParts;
  readonly #rules: SessionRules;
  /** Outside the stream the idle rule and the watermark are off. */
  readonly #mode: Mode;
  /** Live parts that were looked at; null where the last one ended. */
  readonly #live = new Map<string, PartStep | null>();
  readonly #touched = new Set<PartStep>();
  readonly #counts: StepCounts = { rows: 0, replayed: 0, skipped: {}, held: 0, closes: {}, released: {} };
  #watermark: Micros | null;
  #previous: Position | null = null;

  constructor(known: KnownParts, rules: SessionRules, mode: Mode) {
    this.#known = known;
    this.#rules = rules;
    this.#mode = mode;
    this.#watermark = known.watermark;
  }

  advance(at: Micros): void {
    if (this.#mode !== 'stream') return;
    if (this.#watermark === null || at > this.#watermark) this.#watermark = at;
  }

  take(turn: Turn): void {
    if (this.#isKnown(turn.position)) {
      this.#counts.replayed += 1;
      return;
    }
    const bytes = bytesOf(turn);
    const before = this.#stepOf(turn.sessionId);
    const previous = before?.part.lastAt ?? unknownTime;
    const at = this.#timeOf(turn);
    const activity = at === null ? previous : Math.max(previous, at);
    if (before !== null) this.#makeWay(before, bytes, activity);
    const step = this.#stepOf(turn.sessionId) ?? this.#begin(turn.sessionId, (before?.part.part ?? -1) + 1, activity);
    // A row of the past that joins a part in progress ended something then, not now.
    const ends = this.#mode !== 'injection' || activity === (at ?? activity);
    append(step, turn, bytes, activity, ends ? this.#rules.endMarker : null);
    if (this.#mode === 'injection' && at !== null) step.part.firstAt = Math.min(step.part.firstAt, at);
    this.#touched.add(step);
    this.#counts.rows += 1;
  }

  /** Applies the watermark to every part at hand. Doing so once a batch is enough: `take` applies it to its own part. */
  settle(): void {
    if (this.#mode !== 'stream' || this.#watermark === null) return;
    const at = this.#watermark;
    this.#forEachLive(
      (part) => standingAt(part, at, this.#rules).kind === 'open',
      (step) => this.#judge(step, at),
    );
  }

  /**
   * What had been idle at the snapshot closes; the stream goes on with the rest. Its rows were committed before the
   * snapshot, whatever an agent's clock says: a time ahead of it would keep a part open until then.
   */
  endHistory(snapshotAt: Micros): void {
    const { idleTimeout, minTurns } = this.#rules;
    const { watermark } = this.#known;
    // Beside a stream a later time is a commit's, and what the stream may still bring rows of must not close.
    const beside = this.#mode === 'injection' && watermark !== null;
    const latest = beside ? Number.POSITIVE_INFINITY : snapshotAt;
    const closesBefore = beside ? Math.min(snapshotAt, watermark) : snapshotAt;
    this.#forEachLive(
      (part) => part.lastAt <= latest && part.lastAt + idleTimeout >= closesBefore,
      (step) => {
        const { part } = step;
        if (part.lastAt > latest) this.#bring(step, latest);
        if (part.lastAt + idleTimeout >= closesBefore) return;
        if (part.turns >= minTurns) this.#end(step, { kind: 'sealed', reason: 'history' });
        else this.#hold(step);
      },
    );
  }

  step(batch: Batch): Step {
    if (!this.#isReplay(batch)) this.#counts.skipped = { ...batch.skipped };
    return {
      version: this.#known.version,
      parts: [...this.#touched],
      lastPosition:
        this.#mode === 'injection' ? this.#known.lastPosition : laterOf(this.#known.lastPosition, this.#previous),
      watermark: this.#watermark,
      counts: this.#counts,
    };
  }

  /** The session's live part, to be changed. */
  #stepOf(sessionId: string): PartStep | null {
    const looked = this.#live.get(sessionId);
    if (looked !== undefined) return looked;
    const part = this.#known.parts.get(sessionId);
    if (part === undefined) return null;
    const step: PartStep = { part: { ...part }, appended: [], isNew: false, standing: { kind: 'open' } };
    this.#live.set(sessionId, step);
    return step;
  }

  /** @param stays says so of a part that need not be looked at: there may be a million of them. */
  #forEachLive(stays: (part: PartState) => boolean, work: (step: PartStep) => void): void {
    for (const [sessionId, part] of this.#known.parts) {
      if (!this.#live.has(sessionId) && !stays(part)) this.#stepOf(sessionId);
    }
    for (const step of [...this.#live.values()]) if (step !== null) work(step);
  }

  /**
   * Commit time; of rows of the table, whose commits are not known, their own time. Beside the stream the watermark
   * bounds that: every row that is injected was committed before it, whatever an agent's clock says.
   */
  #timeOf({ committedAt, createdAt }: Turn): Micros | null {
    const at = committedAt ?? (createdAt === null ? null : microsOf(createdAt));
    if (at === null || !Number.isFinite(at)) return null;
    const { watermark } = this.#known;
    return this.#mode === 'injection' && watermark !== null ? Math.min(at, watermark) : at;
  }

  /** Takes the times of a part back to `latest`. */
  #bring(step: PartStep, latest: Micros): void {
    const { part } = step;
    part.firstAt = Math.min(part.firstAt, latest);
    part.openedAt = Math.min(part.openedAt, latest);
    part.lastAt = latest;
    if (part.endMarkerAt !== null) part.endMarkerAt = Math.min(part.endMarkerAt, latest);
    this.#touched.add(step);
  }

  #isKnown(position: Position): boolean {
    if (this.#previous !== null && comparePositions(position, this.#previous) <= 0) {
      const at = `${position.lsn} #${position.ordinal}`;
      throw new RangeError(
        `row at ${at} came after ${this.#previous.lsn} #${this.#previous.ordinal}: not in WAL order`,
      );
    }
    this.#previous = position;
    if (this.#mode === 'injection') return false;
    const last = this.#known.lastPosition;
    return last !== null && comparePositions(position, last) <= 0;
  }

  /** Closes the part a turn would join, where the turn comes too late for it or does not fit. */
  #makeWay(step: PartStep, bytes: number, activity: Micros): void {
    const { part } = step;
    if (this.#mode !== 'stream') {
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
    this.#live.set(step.part.sessionId, null);
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

function append(
  step: PartStep,
  turn: Turn,
  bytes: number,
  activity: Micros,
  endMarker: SessionRules['endMarker'],
): void {
  const { part } = step;
  if (part.lastAt === unknownTime) {
    part.firstAt = activity;
    part.openedAt = activity;
  }
  part.turns += 1;
  part.bytes += bytes;
  part.lastAt = activity;
  if (part.endMarkerAt === null && endMarker?.(turn)) part.endMarkerAt = activity;
  step.appended.push(turn);
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
