/**
 * How far the server's time is certain to have been streamed: every row committed before the watermark has been
 * yielded. One clock, the server's; nothing here reads one of ours.
 */
import type { Lsn, Micros } from '../records.ts';

/** What the server says of itself at one moment. */
export interface Probe {
  /** `pg_current_wal_flush_lsn()`. */
  lsn: Lsn;
  /** `clock_timestamp()` of the same statement. */
  at: Micros;
}

/**
 * Commit times can step back in WAL order by parts of a millisecond, and an asynchronous commit may stay unflushed for
 * three delays of the WAL writer: a watermark keeps that far behind. Microseconds.
 */
export function slackMicros(walWriterDelayMs: number): Micros {
  return Math.max(500, 4 * walWriterDelayMs) * 1000;
}

export interface Watermark {
  slack: Micros;
  /** Never steps back; null before the first. */
  at: Micros | null;
  /** The latest server time that `at` was taken from, without the slack; null before the first. */
  heard: Micros | null;
  /** The question to the server that the stream has not caught up with yet. */
  probe: Probe | null;
}

export function freshWatermark(slack: Micros): Watermark {
  return { slack, at: null, heard: null, probe: null };
}

/** (a) A commit was received: what lies the slack before it has been. */
export function committed(mark: Watermark, committedAt: Micros): void {
  advance(mark, committedAt);
}

/** (b) The server answered a probe. An unanswered one is kept: a newer one would be reached later. */
export function probed(mark: Watermark, probe: Probe): void {
  mark.probe ??= probe;
}

/** The stream has come to `lsn`, every row before it received: the probe's moment counts once its position is reached. */
export function reached(mark: Watermark, lsn: Lsn): void {
  if (mark.probe === null || lsn < mark.probe.lsn) return;
  advance(mark, mark.probe.at);
  mark.probe = null;
}

function advance(mark: Watermark, at: Micros): void {
  const candidate = at - mark.slack;
  if (mark.at === null || candidate > mark.at) mark.at = candidate;
  mark.heard = Math.max(at, mark.heard ?? at);
}
