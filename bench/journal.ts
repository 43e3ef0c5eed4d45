/**
 * Commits of the journal against the plain peer: one INSERT a row, with an index by session, in the same file system
 * and the same run. Rows of 1 KB, 500 a transaction, fsynced.
 *
 *   npx tsx bench/journal.ts [rows] [sessions]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Batch, Lsn, ResumeLsn, Turn } from '../src/records.ts';
import { openJournal } from '../src/sessionizer/journal.ts';
import { type SessionRules, sessionize, watermarkOf } from '../src/sessionizer/sessionize.ts';
import { openSqlite } from '../src/sqlite.ts';

const rowsPerBatch = 500;
const second = 1_000_000;
const start = 1_767_571_200 * second;
const rules: SessionRules = {
  idleTimeout: 600 * second,
  endMarker: null,
  endGrace: 5 * second,
  maxTurns: 2000,
  maxBytes: 16 * 1024 * 1024,
  maxAge: 86_400 * second,
  minTurns: 10,
  retain: 7 * 86_400 * second,
};
const response = JSON.stringify({ text: 'lorem "ipsum" '.repeat(58) });

/** Rows that go round the sessions. */
function batchAt(first: number, sessions: number): Batch {
  const turns = Array.from({ length: rowsPerBatch }, (_, i) => turnAt(first + i, sessions));
  const { lsn } = turns.at(-1)!.position;
  return {
    changes: turns.map((turn) => ({ kind: 'turn', turn })),
    sessionIds: new Set(turns.map((turn) => turn.sessionId)),
    progress: { resumeLsn: lsn as string as ResumeLsn, partial: null },
    skipped: {},
  };
}

function turnAt(n: number, sessions: number): Turn {
  const lsn = `00000000/${(16 + n).toString(16).toUpperCase().padStart(8, '0')}` as Lsn;
  return {
    rowKey: String(n),
    sessionId: `session-${String(n % sessions).padStart(8, '0')}`,
    agent: 'inbox',
    tool: 'search',
    arguments: '{"query": "refund policy", "limit": 10}',
    response,
    costUsd: '0.00012',
    durationMs: '41',
    createdAt: '2026-01-05 08:26:59.153001+00',
    committedAt: start + n * 20,
    position: { lsn, ordinal: 0 },
  };
}

interface Cost {
  wallMs: number;
  cpuMs: number;
}

function measure(batches: Batch[], commit: (batch: Batch) => void): Cost {
  const cpu = process.cpuUsage();
  const began = performance.now();
  for (const batch of batches) commit(batch);
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - began, cpuMs: (user + system) / 1000 };
}

function runJournal(dir: string, batches: Batch[]): Cost {
  const journal = openJournal(join(dir, 'journal.sqlite'), { source: 'bench', rules });
  try {
    return measure(batches, (batch) => {
      const known = journal.recall(batch.sessionIds, watermarkOf(batch));
      journal.commit(sessionize(known, batch, rules), batch);
    });
  } finally {
    journal.close();
  }
}

function runPlain(dir: string, batches: Batch[]): Cost {
  const db = openSqlite(join(dir, 'plain.sqlite'), {
    what: 'peer',
    migrations: [
      `CREATE TABLE turns (id INTEGER PRIMARY KEY, session_id TEXT, row_key TEXT, agent TEXT, tool TEXT, arguments TEXT,
         response TEXT, cost TEXT, duration TEXT, created_at TEXT, committed_at INTEGER, lsn TEXT, ordinal INTEGER);
       CREATE INDEX turns_by_session ON turns (session_id);`,
    ],
  });
  const insert = db.prepare('INSERT INTO turns VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const commit = db.transaction((batch: Batch) => {
    for (const change of batch.changes) {
      if (change.kind !== 'turn') continue;
      const t = change.turn;
      const named = [t.sessionId, t.rowKey, t.agent, t.tool, t.arguments, t.response, t.costUsd, t.durationMs];
      insert.run(...named, t.createdAt, t.committedAt, t.position.lsn, t.position.ordinal);
    }
  });
  try {
    return measure(batches, (batch) => commit.immediate(batch));
  } finally {
    db.close();
  }
}

/** The best of some rounds, taken in turns: other work on the machine only ever adds. */
function best(costs: Cost[]): Cost {
  return { wallMs: Math.min(...costs.map((c) => c.wallMs)), cpuMs: Math.min(...costs.map((c) => c.cpuMs)) };
}

function inNewDir(run: (dir: string) => Cost): Cost {
  const dir = mkdtempSync(join(tmpdir(), 'bench-journal-'));
  try {
    return run(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function compare(rows: number, sessions: number): void {
  const batches = Array.from({ length: rows / rowsPerBatch }, (_, i) => batchAt(i * rowsPerBatch, sessions));
  const rounds = Array.from({ length: 3 }, () => ({
    plain: inNewDir((dir) => runPlain(dir, batches)),
    journal: inNewDir((dir) => runJournal(dir, batches)),
  }));
  const plain = best(rounds.map((round) => round.plain));
  const journal = best(rounds.map((round) => round.journal));
  const perSecond = ({ wallMs }: Cost) => `${Math.round(rows / wallMs)} k rows/s`;
  const perRow = ({ cpuMs }: Cost) => `${((cpuMs * 1000) / rows).toFixed(1)} µs CPU a row`;
  const ratio = `${(plain.wallMs / journal.wallMs).toFixed(2)} (CPU ${(plain.cpuMs / journal.cpuMs).toFixed(2)})`;
  process.stdout.write(
    `${sessions} sessions: journal ${perSecond(journal)} (${perRow(journal)}), plain ${perSecond(plain)} (${perRow(plain)}), ratio ${ratio}\n`,
  );
}

const rows = Number(process.argv[2] ?? 100_000);
const sessions = process.argv[3] === undefined ? [8, 100, 10_000] : [Number(process.argv[3])];
for (const count of sessions) compare(rows, count);
