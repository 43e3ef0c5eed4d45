/** What is in the audit log already: read-only, without a slot, and with whatever connection there is. */
import type { Config } from './config.ts';
import { type KnownSession, knownSessions } from './dataset/known.ts';
import { openDatasetIfPresent } from './dataset/open.ts';
import type { Logger } from './log.ts';
import { openRestAuditReader } from './postgres/rest-rows.ts';
import { type AuditReader, openAuditReader, type SessionSummary } from './postgres/rows.ts';
import type { Micros } from './records.ts';
import { filesOf, tableSettings, urlOf } from './stages.ts';
import { currentTarget } from './stream/target.ts';

export type LogReader = Omit<AuditReader, 'table'>;

/** The log, and the server's clock, by which a session that has no further row has ended. */
export interface OpenLog {
  reader: LogReader;
  readClock(): Promise<Micros>;
}

/**
 * Directly where there is a connection string, otherwise with what a Supabase project gives to everyone.
 *
 * @throws OperatorError where the table can't be read.
 */
export async function openLog(config: Config, log: Logger): Promise<OpenLog> {
  const { 'postgres.url': direct, 'supabase.url': url, 'supabase.key': key } = config;
  if (direct === null && url !== null && key !== null) {
    const reader = await openRestAuditReader({ url, key, log, ...tableSettings(config) });
    return { reader, readClock: async () => reader.snapshotAt };
  }
  const reader = await openAuditReader({ url: urlOf(config), ...tableSettings(config) });
  return { reader, readClock: async () => (await currentTarget(urlOf(config))).at };
}

export interface ExistingSession {
  sessionId: string;
  agents: string[];
  turns: number;
  firstAt: string | null;
  lastAt: string | null;
  /** Turns of it that are in the dataset. */
  compiledTurns: number;
}

export interface ExistingSessions {
  /** Longest first. */
  sessions: ExistingSession[];
  /** All of at least `minTurns`, listed or not. */
  total: number;
  /** Of those listed, how many are in the dataset. */
  compiled: number;
  /** What a lower `minTurns` would add. */
  lower: { minTurns: number; sessions: number };
}

/** What there is to compile. @throws OperatorError where the table can't be read. */
export async function listExisting(config: Config, limit: number, log: Logger): Promise<ExistingSessions> {
  const minTurns = config['session.minTurns'];
  const lower = Math.max(2, Math.floor(minTurns / 2));
  const { reader } = await openLog(config, log);
  const dataset = openDatasetIfPresent(filesOf(config).dataset);
  try {
    const { sessions, total } = await reader.listSessions({ minTurns, limit });
    const more = await reader.listSessions({ minTurns: lower, limit: 0 });
    const known = dataset === null ? new Map() : knownSessions(dataset, reader.source);
    const listed = sessions.map((session) => ({ ...session, compiledTurns: known.get(session.sessionId)?.turns ?? 0 }));
    return {
      sessions: listed,
      total,
      compiled: listed.filter(({ compiledTurns }) => compiledTurns > 0).length,
      lower: { minTurns: lower, sessions: more.total - total },
    };
  } finally {
    dataset?.close();
    await reader.close();
  }
}

/**
 * Up to `limit` sessions with turns that no model has been over, longest first.
 *
 * @throws OperatorError where the table can't be read.
 */
export async function sessionsToCompile(config: Config, limit: number, log: Logger): Promise<SessionSummary[]> {
  const { reader } = await openLog(config, log);
  const dataset = openDatasetIfPresent(filesOf(config).dataset);
  try {
    const known = dataset === null ? new Map<string, KnownSession>() : knownSessions(dataset, reader.source);
    // Enough to reach the limit though every known session comes first.
    const listed = await reader.listSessions({ minTurns: config['session.minTurns'], limit: limit + known.size });
    const rest = listed.sessions.filter(({ sessionId, turns }) => {
      const before = known.get(sessionId);
      return before === undefined || turns > before.turns || !before.compilers.some((name) => name.startsWith('llm '));
    });
    return rest.slice(0, limit);
  } finally {
    dataset?.close();
    await reader.close();
  }
}
