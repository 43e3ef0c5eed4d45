/** When a part of a session closes, and what becomes of it then. Pure: every time is handed in. */
import type { CloseReason, Micros, Turn } from '../records.ts';

export interface SessionRules {
  /** A part closes when its last turn lies further back than this. */
  idleTimeout: Micros;
  /** True for the turn that ends a session's work; null where the log has no such turn. */
  endMarker: ((turn: Turn) => boolean) | null;
  /** Turns committed up to this long after an end marker still join its part. */
  endGrace: Micros;
  maxTurns: number;
  /** UTF-8 bytes of the turns' text. */
  maxBytes: number;
  maxAge: Micros;
  /** A part below this many turns is held, not sealed. */
  minTurns: number;
  /** How long after its last turn a held part waits for further ones. */
  retain: Micros;
}

/** The small record that is kept in memory of every part that is not sealed. It holds no text of turns. */
export interface PartState {
  sessionId: string;
  /** 0 for the first part of the session. */
  part: number;
  turns: number;
  bytes: number;
  /** Activity of the first turn; 0 where no turn so far has a usable time. */
  firstAt: Micros;
  /** Activity of the turn that began it, or that took it up again after it was held: what `maxAge` counts from. */
  openedAt: Micros;
  lastAt: Micros;
  endMarkerAt: Micros | null;
  /** Closed with too few turns; the session's next turns join it. */
  held: boolean;
}

/** Why a part was let go without becoming a trajectory. */
export type ReleaseReason = 'below_min_turns' | 'short_at_cap';

export type Standing =
  | { kind: 'open' }
  | { kind: 'held' }
  | { kind: 'sealed'; reason: CloseReason }
  | { kind: 'released'; reason: ReleaseReason };

/** Activity where no turn has a usable time. */
export const unknownTime: Micros = 0;

function closing(part: PartState, rules: SessionRules): { at: Micros; reason: CloseReason } {
  const idleAt = part.lastAt + rules.idleTimeout;
  if (part.endMarkerAt === null || part.endMarkerAt + rules.endGrace > idleAt) return { at: idleAt, reason: 'idle' };
  return { at: part.endMarkerAt + rules.endGrace, reason: 'end_marker' };
}

function releaseAt(part: PartState, rules: SessionRules): Micros {
  return Math.max(closing(part, rules).at, part.lastAt + rules.retain);
}

/**
 * What has become of a part by time `at`, which is a watermark or the activity of the session's next turn. Both are
 * asked the same question with the same boundary, so what closes does not depend on which of them came first.
 */
export function standingAt(part: PartState, at: Micros, rules: SessionRules): Standing {
  const { at: closesAt, reason } = closing(part, rules);
  if (at <= closesAt) return { kind: 'open' };
  if (part.turns >= rules.minTurns) return { kind: 'sealed', reason };
  return at > releaseAt(part, rules) ? { kind: 'released', reason: 'below_min_turns' } : { kind: 'held' };
}

/** The watermark after which {@link standingAt} says something new of the part. */
export function dueAt(part: PartState, rules: SessionRules): Micros {
  const waits = part.held && part.turns < rules.minTurns;
  return waits ? releaseAt(part, rules) : closing(part, rules).at;
}

/** How far beyond `maxBytes` a part may grow that is too short to be sealed. */
export const shortPartFactor = 8;

/** Whether a cap ends the part before a turn of `bytes` at `activity`. Only a long enough part can be sealed. */
export function standingAtCap(part: PartState, bytes: number, activity: Micros, rules: SessionRules): Standing {
  const overBytes = part.bytes + bytes > rules.maxBytes;
  if (part.turns < rules.minTurns) {
    // A short part may run over: one large row must not cost its neighbours. Bytes only so far, since memory is sized by
    // them.
    return part.bytes + bytes > rules.maxBytes * shortPartFactor
      ? { kind: 'released', reason: 'short_at_cap' }
      : { kind: 'open' };
  }
  if (part.turns >= rules.maxTurns) return { kind: 'sealed', reason: 'max_turns' };
  if (overBytes) return { kind: 'sealed', reason: 'max_bytes' };
  if (part.lastAt !== unknownTime && activity - part.openedAt > rules.maxAge)
    return { kind: 'sealed', reason: 'max_age' };
  return { kind: 'open' };
}
