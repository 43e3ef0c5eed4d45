/** Which column of a table is which part of a turn, guessed by names and types: pure. */
import type { Columns } from '../postgres/audit-table.ts';

export interface FoundColumn {
  name: string;
  /** As `format_type` prints it. */
  type: string;
  /** Alone it is the primary key. */
  primaryKey: boolean;
}

export type ColumnGuess = Record<keyof Columns, string | null>;

type Kind = 'any' | 'word' | 'number' | 'moment';

interface Role {
  /** Of columns, best first; a longer name that holds all words of one is the next best. */
  names: string[];
  kind: Kind;
}

/** In the order in which they choose: what is hardest to do without first, and each column is taken once. */
const roles: Record<keyof Columns, Role> = {
  sessionId: {
    names: names(
      'session_id session conversation_id thread_id run_id trace_id chat_id dialog_id episode_id trajectory_id conversation thread correlation_id task_id job_id',
    ),
    kind: 'word',
  },
  key: { names: names('id event_id log_id entry_id row_id record_id call_id uuid seq sequence'), kind: 'word' },
  time: {
    names: names(
      'created_at timestamp ts occurred_at event_time logged_at called_at started_at inserted_at created time at date',
    ),
    kind: 'moment',
  },
  tool: {
    names: names(
      'tool tool_name function function_name action method operation command step_name event_type event name',
    ),
    kind: 'word',
  },
  agent: {
    names: names('agent agent_name agent_id actor assistant bot worker service model role user_id'),
    kind: 'word',
  },
  arguments: {
    names: names('arguments args tool_input input inputs parameters params request payload query prompt'),
    kind: 'any',
  },
  response: {
    names: names('response result results tool_output output outputs observation reply answer completion content'),
    kind: 'any',
  },
  cost: { names: names('cost_usd cost usd price total_cost'), kind: 'number' },
  duration: {
    names: names('duration_ms latency_ms elapsed_ms took_ms duration latency elapsed runtime'),
    kind: 'number',
  },
};

function names(list: string): string[] {
  return list.split(' ');
}

/** Null where no column seems to be it. */
export function guessColumns(columns: readonly FoundColumn[]): ColumnGuess {
  const taken = new Set<string>();
  const guess = {} as ColumnGuess;
  for (const [role, { names, kind }] of Object.entries(roles) as [keyof Columns, Role][]) {
    const free = columns.filter(({ name, type }) => !taken.has(name) && suits(type, kind));
    const own = role === 'key' ? free.find(({ primaryKey }) => primaryKey) : undefined;
    const best = own?.name ?? bestByName(free, names);
    guess[role] = best;
    if (best !== null) taken.add(best);
  }
  return guess;
}

/** How much a table looks like an audit log: above 0 it may be one. */
export function likeness(guess: ColumnGuess): number {
  if (guess.key === null) return 0;
  const weight: Partial<Record<keyof Columns, number>> = { sessionId: 3, tool: 2, arguments: 1, response: 1, agent: 1 };
  const sum = Object.entries(weight).reduce(
    (all, [role, n]) => all + (guess[role as keyof Columns] === null ? 0 : n),
    0,
  );
  return sum >= 3 ? sum : 0;
}

function bestByName(columns: readonly FoundColumn[], names: readonly string[]): string | null {
  const exact = names.flatMap((name) => columns.find((column) => wordsOf(column.name).join('_') === name) ?? []);
  if (exact[0] !== undefined) return exact[0].name;
  const holding = names.flatMap(
    (name) => columns.find((column) => name.split('_').every((word) => wordsOf(column.name).includes(word))) ?? [],
  );
  return holding[0]?.name ?? null;
}

/** `ToolInput`, `tool-input` and `tool_input` are the same words. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

function suits(type: string, kind: Kind): boolean {
  if (kind === 'number') return /^(numeric|real|double|bigint|integer|smallint|money)/.test(type);
  if (kind === 'moment') return /^(timestamp|date)/.test(type);
  // An enumeration or a domain is a word too, and its name may be anything.
  return (
    kind === 'any' || !/^(json|bytea|bool|interval|time|date|real|double|money|inet|point|tsvector|.*\[\])/.test(type)
  );
}
