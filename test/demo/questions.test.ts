import { describe, expect, it } from 'vitest';
import type { DraftPair } from '../../src/compile/compiler.ts';
import { createRulesCompiler } from '../../src/compile/rules/rules.ts';
import { createView } from '../../src/compile/segment.ts';
import { auditRow } from '../../src/demo/audit-row.ts';
import { agents, type FleetRow, fleet } from '../../src/demo/fleet.ts';
import type { Lsn, Trajectory } from '../../src/records.ts';

function trajectoryOf(id: string, rows: FleetRow[]): Trajectory {
  const turns = rows.map((row, i) => {
    const at = 1_767_600_000_000_000 + row.offsetMs * 1000;
    const position = { lsn: '00000000/00000000' as Lsn, ordinal: i };
    return { ...auditRow(row, at), rowKey: String(i), committedAt: at, position };
  });
  const agent = rows.map((row) => row.agent).slice(0, 1);
  const ends = { startedAt: 0, endedAt: 0, closedBy: 'idle' as const, contentHash: '' };
  return { spec: 'trajectory/1', id, source: 'demo', sessionId: id, part: 0, agents: agent, turns, ...ends };
}

async function draftsOf(seed: number): Promise<{ agent: string; drafts: DraftPair[] }[]> {
  const sessions = new Map<string, FleetRow[]>();
  for (const row of fleet({ seed, sessions: 40, brokenOff: 0 }))
    sessions.set(row.sessionId, [...(sessions.get(row.sessionId) ?? []), row]);
  const compiler = createRulesCompiler();
  const compiled = [];
  for (const [id, rows] of sessions) {
    const { drafts } = await compiler.propose(createView(trajectoryOf(id, rows)), new AbortController().signal);
    compiled.push({ agent: rows[0]!.agent, drafts });
  }
  return compiled;
}

describe('the world of the fleet', () => {
  it('holds questions without a model: of all four types, from every agent, in nearly every session', async () => {
    const compiled = await draftsOf(23);
    const asked = compiled.filter(({ drafts }) => drafts.length > 0);
    expect(asked.length).toBeGreaterThanOrEqual(compiled.length * 0.8);
    expect(new Set(asked.map(({ agent }) => agent))).toEqual(new Set(agents.map(({ name }) => name)));
    const types = new Set(asked.flatMap(({ drafts }) => drafts.map(({ qaType }) => qaType)));
    expect(types).toEqual(new Set(['factoid', 'reasoning', 'composition', 'temporal']));
  }, 30_000);
});
