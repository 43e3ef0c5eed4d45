/** Writes the audit logs that these tests group: turns, batches and rules with short numbers. */
import type { Batch, Change, Lsn, Micros, Position, ResumeLsn, Turn } from '../../src/records.ts';
import { isoOf } from '../../src/records.ts';
import type { SessionRules } from '../../src/sessionizer/sessionize.ts';

export const second: Micros = 1_000_000;
export const minute: Micros = 60 * second;
export const hour: Micros = 60 * minute;
export const day: Micros = 24 * hour;
/** Midnight of 2026-01-05, UTC: where these logs begin. */
export const start: Micros = 1_767_571_200 * second;

export const rules: SessionRules = {
  idleTimeout: 10 * minute,
  endMarker: (turn) => turn.tool === 'finish',
  endGrace: 5 * second,
  maxTurns: 8,
  maxBytes: 4096,
  maxAge: day,
  minTurns: 3,
  retain: 7 * day,
};

export function lsn(n: number): Lsn {
  return `00000000/${n.toString(16).toUpperCase().padStart(8, '0')}` as Lsn;
}

export interface TurnOptions {
  session?: string;
  /** After {@link start}. */
  at?: Micros | null;
  createdAt?: string | null;
  tool?: string;
  response?: string | null;
  position?: Position;
  metadata?: Record<string, string | null>;
}

/** Makes turns of ascending keys and positions. */
export class LogWriter {
  #n = 0;

  turn({ session = 's', at = 0, createdAt, tool = 'search', response = '{"ok": true}', ...rest }: TurnOptions): Turn {
    this.#n += 1;
    return {
      rowKey: String(this.#n),
      sessionId: session,
      agent: 'inbox',
      tool,
      arguments: '{"id": 9007199254740993}',
      response,
      costUsd: '1.10',
      durationMs: '12',
      createdAt: createdAt === undefined && at !== null ? pgTime(start + at) : (createdAt ?? null),
      committedAt: at === null ? null : start + at,
      position: { lsn: lsn(this.#n * 16), ordinal: 0 },
      ...rest,
    };
  }

  /** A row of history: no commit time, a position before the stream's. */
  historyTurn(options: TurnOptions): Turn {
    const turn = this.turn(options);
    return { ...turn, committedAt: null, position: { lsn: lsn(1), ordinal: this.#n - 1_000_000 } };
  }
}

function pgTime(at: Micros): string {
  return isoOf(at).replace('T', ' ').replace('Z', '+00');
}

export function watermark(at: Micros): Change {
  return { kind: 'watermark', at: start + at };
}

export function batchOf(changes: readonly (Change | Turn)[], more: Partial<Batch> = {}): Batch {
  const list = changes.map((c): Change => ('kind' in c ? c : { kind: 'turn', turn: c }));
  const turns = list.flatMap((c) => (c.kind === 'turn' ? [c.turn] : []));
  const last = turns.at(-1);
  return {
    changes: list,
    sessionIds: new Set(turns.map((turn) => turn.sessionId)),
    progress: { resumeLsn: (last?.position.lsn ?? lsn(0)) as string as ResumeLsn, partial: last?.position ?? null },
    skipped: {},
    ...more,
  };
}
