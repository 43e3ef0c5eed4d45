/** Small trajectories of our own to compile. */
import type { DraftPair } from '../../src/compile/compiler.ts';
import type { Position, Trajectory, Turn } from '../../src/records.ts';

export interface Row {
  agent?: string | null;
  tool?: string | null;
  args?: unknown;
  response?: unknown;
  /** JSON text as it stands, in place of `args` and `response`. */
  rawArgs?: string;
  rawResponse?: string;
  createdAt?: string | null;
}

export function trajectoryOf(rows: Row[], { id = 'trajectory-1', sessionId = 'session-1' } = {}): Trajectory {
  return {
    spec: 'trajectory/1',
    id,
    source: 'test',
    sessionId,
    part: 0,
    agents: [...new Set(rows.map((row) => row.agent ?? 'clerk'))],
    turns: rows.map((row, index) => turnOf(row, index, sessionId)),
    startedAt: 0,
    endedAt: 0,
    closedBy: 'idle',
    contentHash: 'hash',
  };
}

function turnOf(row: Row, index: number, sessionId: string): Turn {
  const json = (value: unknown) => (value === undefined ? null : JSON.stringify(value));
  const second = String(index % 60).padStart(2, '0');
  const minute = String(Math.floor(index / 60)).padStart(2, '0');
  return {
    rowKey: `row-${index}`,
    sessionId,
    agent: row.agent === undefined ? 'clerk' : row.agent,
    tool: row.tool === undefined ? 'note' : row.tool,
    arguments: row.rawArgs ?? json(row.args),
    response: row.rawResponse ?? json(row.response),
    costUsd: null,
    durationMs: null,
    createdAt: row.createdAt === undefined ? `2026-03-02 09:${minute}:${second}+00` : row.createdAt,
    committedAt: null,
    position: { lsn: '00000000/00000000' as Position['lsn'], ordinal: index },
  };
}

/**
 * A parcel desk: the complaint names a parcel, the parcel's record names a depot, the depot's record names who is in
 * charge; the weight is measured twice.
 */
export const parcelRows: Row[] = [
  { tool: 'read_complaint', args: { case: 'C-71' }, response: { parcel: 'PX-4417', text: 'Arrived damaged' } },
  { tool: 'list_open_cases', args: { queue: 'north' }, response: { open: ['C-71', 'C-90'] } },
  { tool: 'weigh_parcel', args: { parcel: 'PX-4417' }, response: { kilograms: '12.40', scale: 'S1' } },
  { tool: 'find_parcel', args: { parcel: 'PX-4417' }, response: { depot: 'harbour_depot', shelf: 'B7' } },
  { tool: 'weather', args: { place: 'quay' }, response: { wind: 'calm' } },
  { tool: 'repack', args: { shelf: 'B7' }, response: { done: true, material: 'foam' } },
  { tool: 'depot_staff', args: { depot: 'harbour_depot' }, response: { lead: 'Tamsin Okafor', badge: 'tk_2207' } },
  { tool: 'check_calendar', args: { day: 'monday' }, response: { free: true } },
  { tool: 'weigh_parcel', args: { parcel: 'PX-4417' }, response: { kilograms: '12.95', scale: 'S1' } },
];

/** Complaint → parcel → depot → who leads it: three turns, none next to another. */
export const leadsDraft: DraftPair = {
  question: 'Who leads the depot that holds the parcel of complaint C-71?',
  answer: 'Tamsin Okafor',
  qaType: 'factoid',
  supportingTurns: [0, 3, 6],
  evidence: [
    { turn: 0, quote: 'parcel: PX-4417' },
    { turn: 3, quote: 'depot: harbour_depot' },
    { turn: 6, quote: 'lead: Tamsin Okafor' },
  ],
  derivation: null,
  raw: '{}',
};

/** The parcel weighed twice, seven turns apart. */
export const heavierDraft: DraftPair = {
  question: 'By how many kilograms did parcel PX-4417 weigh more after it was packed anew?',
  answer: '0.55 kilograms',
  qaType: 'composition',
  supportingTurns: [2, 8],
  evidence: [
    { turn: 2, quote: 'kilograms: 12.40' },
    { turn: 8, quote: 'kilograms: 12.95' },
  ],
  derivation: {
    op: 'difference',
    operands: [
      { turn: 2, field: 'response', path: 'kilograms', value: '12.40' },
      { turn: 8, field: 'response', path: 'kilograms', value: '12.95' },
    ],
    scope: 'operands',
    result: '0.55',
  },
  raw: '{}',
};
