/** The sessions of a table that can't be asked to group: counted while its rows pass by, one record a session. */
import { type Lsn, microsOf, type Position } from '../records.ts';
import { type Mapping, turnOf } from './audit-table.ts';
import type { RestTable } from './rest-client.ts';
import { restFilterName } from './rest-grammar.ts';
import { pagesOf } from './rest-pages.ts';
import type { SessionSummary } from './rows.ts';

/** Without bodies: what the server gives at once. */
const pageRows = 1_000;
const nowhere: Position = { lsn: '00000000/00000000' as Lsn, ordinal: 0 };

/** All sessions, longest first. */
export async function countSessions(rest: RestTable, mapping: Mapping): Promise<SessionSummary[]> {
  const narrow = withoutBodies(mapping);
  const session = restFilterName(narrow.names[narrow.at.sessionId]!);
  const sessions = new Map<string, Counted>();
  const filters: [string, string][] = [[session, 'not.is.null']];
  for await (const rows of pagesOf(rest, narrow, { order: 'key', filters, pageRows })) {
    for (const row of rows) {
      const turn = turnOf(row, narrow, nowhere, null);
      if (typeof turn !== 'string') count(sessions, turn);
    }
  }
  return [...sessions]
    .map(([sessionId, { agents, ...rest }]) => ({ sessionId, agents: [...agents].sort(), ...rest }))
    .sort((a, b) => b.turns - a.turns || (a.sessionId < b.sessionId ? -1 : 1));
}

interface Counted {
  agents: Set<string>;
  turns: number;
  firstAt: string | null;
  lastAt: string | null;
}

function count(
  sessions: Map<string, Counted>,
  turn: { sessionId: string; agent: string | null; createdAt: string | null },
) {
  const { sessionId, agent, createdAt } = turn;
  const known = sessions.get(sessionId) ?? { agents: new Set(), turns: 0, firstAt: null, lastAt: null };
  known.turns += 1;
  if (agent !== null) known.agents.add(agent);
  if (createdAt !== null) {
    if (known.firstAt === null || isBefore(createdAt, known.firstAt)) known.firstAt = createdAt;
    if (known.lastAt === null || isBefore(known.lastAt, createdAt)) known.lastAt = createdAt;
  }
  sessions.set(sessionId, known);
}

function isBefore(a: string, b: string): boolean {
  const [first, second] = [microsOf(a), microsOf(b)];
  return first === null || second === null ? a < b : first < second;
}

/** Session, agent, time and key, and what the exclude rules look at. */
function withoutBodies({ names, at, exclude }: Mapping): Mapping {
  const wanted = [at.sessionId, at.agent, at.time, at.key, ...exclude.map((rule) => rule.at)];
  const kept = [...new Set(wanted)].filter((index) => index >= 0);
  const place = (index: number) => kept.indexOf(index);
  return {
    names: kept.map((index) => names[index]!),
    at: {
      sessionId: place(at.sessionId),
      agent: place(at.agent),
      time: place(at.time),
      key: place(at.key),
      tool: -1,
      arguments: -1,
      response: -1,
      cost: -1,
      duration: -1,
    },
    metadata: [],
    exclude: exclude.map((rule) => ({ ...rule, at: place(rule.at) })),
  };
}
