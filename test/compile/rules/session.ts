/** Small invented sessions as views: one line a turn. */

import type { SegmentView } from '../../../src/compile/compiler.ts';
import { createView } from '../../../src/compile/segment.ts';
import type { Lsn, Trajectory, Turn } from '../../../src/records.ts';

export interface Line {
  agent?: string;
  tool: string;
  args?: unknown;
  response?: unknown;
  /** Seconds after the session's start; ten a turn where it is not given. */
  at?: number;
}

/** What a person or the agent says. */
export function says(who: 'user' | 'assistant', content: string): Line {
  return { agent: who === 'user' ? 'customer' : 'helper', tool: `message.${who}`, args: { content } };
}

export function viewOf(lines: readonly Line[]): SegmentView {
  return createView(trajectoryOf(lines));
}

export function trajectoryOf(lines: readonly Line[]): Trajectory {
  const start = Date.UTC(2026, 0, 5, 8, 0, 0);
  const turns = lines.map((line, i): Turn => {
    const at = new Date(start + (line.at ?? i * 10) * 1000).toISOString().replace('T', ' ').replace('Z', '+00');
    return {
      rowKey: String(i + 1),
      sessionId: 's1',
      agent: line.agent ?? 'helper',
      tool: line.tool,
      arguments: JSON.stringify(line.args ?? {}),
      response: line.response === undefined ? null : JSON.stringify(line.response),
      costUsd: null,
      durationMs: null,
      createdAt: at,
      committedAt: null,
      position: { lsn: '00000000/00000001' as Lsn, ordinal: i },
    };
  });
  return {
    spec: 'trajectory/1',
    id: 't1',
    source: 'test',
    sessionId: 's1',
    part: 0,
    agents: [...new Set(turns.map((turn) => turn.agent ?? ''))],
    turns,
    startedAt: start * 1000,
    endedAt: start * 1000,
    closedBy: 'idle',
    contentHash: '',
  };
}
