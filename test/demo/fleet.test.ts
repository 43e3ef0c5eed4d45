import { describe, expect, it } from 'vitest';
import { agents, defaultSessions, type FleetRow, fleet } from '../../src/demo/fleet.ts';

const rowsOf = (seed: number, sessions = defaultSessions) => [...fleet({ seed, sessions })];

function bySession(rows: FleetRow[]): Map<string, FleetRow[]> {
  const sessions = new Map<string, FleetRow[]>();
  for (const row of rows) sessions.set(row.sessionId, [...(sessions.get(row.sessionId) ?? []), row]);
  return sessions;
}

describe('fleet', () => {
  it('gives the same rows for the same seed and others for another', () => {
    expect(rowsOf(7)).toEqual(rowsOf(7));
    expect(rowsOf(7)).not.toEqual(rowsOf(8));
  });

  it('keeps the content of a session when more sessions are asked for', () => {
    const few = bySession(rowsOf(7, 20));
    const many = bySession(rowsOf(7, 60));
    for (const [id, rows] of few)
      expect(many.get(id)?.map((row) => [row.tool, row.response])).toEqual(rows.map((row) => [row.tool, row.response]));
  });

  it('shows every agent within the first eight sessions', () => {
    expect(new Set(rowsOf(3, 8).map((row) => row.agent))).toEqual(new Set(agents.map((agent) => agent.name)));
  });

  it('hands out rows in the order of their time, sessions interleaved', () => {
    const rows = rowsOf(5);
    for (let i = 1; i < rows.length; i++) expect(rows[i]!.offsetMs).toBeGreaterThanOrEqual(rows[i - 1]!.offsetMs);
    const switches = rows.filter((row, i) => i > 0 && row.sessionId !== rows[i - 1]!.sessionId).length;
    expect(switches).toBeGreaterThan(rows.length / 2);
  });

  it.each([1, 2, 3, 42, 2026])(
    'has the size of a demo with seed %i: 60 to 120 sessions, 1,500 to 2,500 rows',
    (seed) => {
      const rows = rowsOf(seed);
      const sizes = [...bySession(rows).values()].map((session) => session.length);
      expect(sizes).toHaveLength(defaultSessions);
      expect(rows.length).toBeGreaterThan(1_500);
      expect(rows.length).toBeLessThan(2_500);
      expect(sizes.filter((size) => size < 10).length).toBeGreaterThan(3);
      expect(rows.at(-1)!.offsetMs).toBeLessThan(25 * 60_000);
    },
  );

  it('never lets a session rest as long as the idle timeout of the demo, three seconds at a speed of sixty', () => {
    for (const session of bySession(rowsOf(11)).values())
      for (let i = 1; i < session.length; i++)
        expect(session[i]!.offsetMs - session[i - 1]!.offsetMs).toBeLessThan(60 * 1_000);
  });

  it('holds rows that survive JSON and fit the columns', () => {
    for (const row of rowsOf(13)) {
      expect(JSON.parse(JSON.stringify(row))).toEqual(row);
      expect(row.costUsd === null || /^\d+\.\d{6}$/.test(row.costUsd)).toBe(true);
      expect(Number.isInteger(row.durationMs) && row.durationMs > 0).toBe(true);
      expect(row.arguments).toBeTypeOf('object');
    }
  });

  it('names only addresses and numbers that are kept for examples and fiction', () => {
    const text = JSON.stringify(rowsOf(17));
    for (const [address] of text.matchAll(/[\w.+-]+@[\w.-]+/g)) expect(address).toMatch(/@example\.com$/);
    for (const [number] of text.matchAll(/\+1[ \d]{10,}/g)) expect(number).toMatch(/^\+1 719 555 01\d\d$/);
    for (const [number] of text.matchAll(/\b020 [ \d]{8,}/g)) expect(number).toMatch(/^020 7946 0\d{3}$/);
  });

  it('lets tools fail and the same tool succeed later in the session, for every agent that has such tools', () => {
    const recovered = new Set<string>();
    for (const session of bySession(rowsOf(19)).values())
      session.forEach((row, i) => {
        const failed = typeof row.response === 'object' && 'error' in row.response;
        if (failed && session.slice(i + 1).some((later) => later.tool === row.tool)) recovered.add(row.agent);
      });
    expect(recovered).toEqual(new Set(agents.map((agent) => agent.name)));
  });
});
