import type { NewRow } from '../postgres/append.ts';
import { isoOf, type Micros } from '../records.ts';
import type { FleetRow } from './fleet.ts';

/** A row of the fleet as a row of the audit log, stamped `at`: the demo says now, so that it looks as live as it is. */
export function auditRow(row: FleetRow, at: Micros): NewRow {
  return {
    sessionId: row.sessionId,
    agent: row.agent,
    tool: row.tool,
    arguments: JSON.stringify(row.arguments),
    response: JSON.stringify(row.response),
    costUsd: row.costUsd,
    durationMs: String(row.durationMs),
    createdAt: isoOf(at),
  };
}
