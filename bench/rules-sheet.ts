/**
 * A sheet of question and answer pairs that the rules compiler proposes for the sessions of a file of rows, drawn with a
 * seed and spread over sessions: to be read and judged by people.
 *
 *     npx tsx bench/rules-sheet.ts FILE [--seed 7] [--limit 30] [--min-turns 10] [--redacted]
 *
 * FILE holds one JSON row a line (gzip or plain): session_id, seq, agent, tool, arguments, response, created_at.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import type { DraftPair, SegmentView } from '../src/compile/compiler.ts';
import { createDetect } from '../src/compile/redact/detect.ts';
import { openRedactor } from '../src/compile/redact/open-redactor.ts';
import { createMemoryPlaceholders } from '../src/compile/redact/placeholders-sqlite.ts';
import { noRedaction, type Redactor } from '../src/compile/redact/redactor.ts';
import { createRulesCompiler } from '../src/compile/rules/rules.ts';
import { createView } from '../src/compile/segment.ts';
import type { Lsn, Trajectory, Turn } from '../src/records.ts';
import { randomFrom } from './gates/random.ts';
import { familyOf, figuresOf } from './rules/figures.ts';

interface Row {
  session_id: string;
  seq: number;
  agent: string | null;
  tool: string | null;
  arguments: unknown;
  response: unknown;
  created_at: string | null;
}

export interface SheetEntry {
  view: SegmentView;
  drafts: DraftPair[];
  /** Milliseconds that the compiler took. */
  took: number;
}

/** Every kind masked, as `redact.mode: on` does with no list of names. */
export function benchRedactor(): Redactor {
  const detect = createDetect({ names: [] });
  const placeholders = createMemoryPlaceholders();
  return openRedactor({ detect, policy: {}, key: 'bench '.repeat(8), placeholders, vaultKey: null, names: [] });
}

/** The text of a file of rows, gzip or plain. */
export function linesIn(file: string): string {
  const bytes = readFileSync(file);
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
}

/**
 * What the compiler proposes for each session of at least `minTurns` rows, in order of first appearance; over what a
 * redactor makes of the rows, where one is given.
 */
export async function sheetOf(
  lines: string,
  minTurns: number,
  redactor: Redactor = noRedaction,
): Promise<SheetEntry[]> {
  const compiler = createRulesCompiler();
  const entries: SheetEntry[] = [];
  for (const rows of sessionsIn(lines)) {
    if (rows.length < minTurns) continue;
    const { trajectory } = await redactor.redact(trajectoryOf(rows));
    const view = createView(trajectory);
    const started = performance.now();
    const { drafts } = await compiler.propose(view, new AbortController().signal);
    entries.push({ view, drafts, took: performance.now() - started });
  }
  return entries;
}

function sessionsIn(lines: string): Row[][] {
  const sessions = new Map<string, Row[]>();
  for (const line of lines.split('\n')) {
    if (line.trim() === '') continue;
    const row = JSON.parse(line) as Row;
    const rows = sessions.get(row.session_id) ?? [];
    sessions.set(row.session_id, rows);
    rows.push(row);
  }
  return [...sessions.values()].map((rows) => rows.toSorted((a, b) => a.seq - b.seq));
}

function trajectoryOf(rows: readonly Row[]): Trajectory {
  const sessionId = rows[0]!.session_id;
  return {
    spec: 'trajectory/1',
    id: sessionId,
    source: 'file',
    sessionId,
    part: 0,
    agents: [...new Set(rows.map((row) => row.agent ?? ''))],
    turns: rows.map(turnOf),
    startedAt: 0,
    endedAt: 0,
    closedBy: 'history',
    contentHash: '',
  };
}

function turnOf(row: Row, index: number): Turn {
  const json = (value: unknown) => (value === null || value === undefined ? null : JSON.stringify(value));
  return {
    rowKey: String(index + 1),
    sessionId: row.session_id,
    agent: row.agent,
    tool: row.tool,
    arguments: json(row.arguments),
    response: json(row.response),
    costUsd: null,
    durationMs: null,
    createdAt: row.created_at,
    committedAt: null,
    position: { lsn: '00000000/00000000' as Lsn, ordinal: index },
  };
}

export interface Drawn {
  sessionId: string;
  draft: DraftPair;
}

/** One pair of each session in a shuffled order, then a second of each, until there are enough. */
export function draw(entries: readonly SheetEntry[], seed: number, limit: number): Drawn[] {
  const { next: random } = randomFrom(seed);
  const shuffled = <T>(items: readonly T[]): T[] => {
    return items
      .map((item) => ({ item, rank: random() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
  };
  const sessions = shuffled(entries).map(({ view, drafts }) =>
    shuffled(drafts).map((draft) => ({ sessionId: view.trajectory.sessionId, draft })),
  );
  const rounds = Math.max(0, ...sessions.map((pairs) => pairs.length));
  const inTurn = Array.from({ length: rounds }, (_, round) =>
    sessions.flatMap((pairs) => pairs.slice(round, round + 1)),
  );
  return inTurn.flat().slice(0, limit);
}

async function main(): Promise<void> {
  const options = {
    seed: { type: 'string', default: '7' },
    limit: { type: 'string', default: '30' },
    'min-turns': { type: 'string', default: '10' },
    redacted: { type: 'boolean', default: false },
  } as const;
  const { values, positionals } = parseArgs({ allowPositionals: true, options });
  const [file] = positionals;
  if (file === undefined)
    throw new Error('name a file of rows: npx tsx bench/rules-sheet.ts FILE [--seed 7] [--limit 30]');
  const redactor = values.redacted ? benchRedactor() : noRedaction;
  const entries = await sheetOf(linesIn(file), Number(values['min-turns']), redactor);
  const lines = [...draw(entries, Number(values.seed), Number(values.limit)).map(shown), figuresOf(entries).join('\n')];
  process.stdout.write(`${lines.join('\n\n')}\n`);
}

function shown({ sessionId, draft }: Drawn, at: number): string {
  const turns = draft.supportingTurns.join(', ');
  return `${at + 1}. ${sessionId} · ${familyOf(draft)} · ${draft.qaType} · turns ${turns}\n   Q ${draft.question}\n   A ${draft.answer}`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
