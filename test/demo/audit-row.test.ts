import { expect, it } from 'vitest';
import { auditRow } from '../../src/demo/audit-row.ts';
import { fleet } from '../../src/demo/fleet.ts';
import { microsOf } from '../../src/records.ts';

it('turns a row of the fleet into a row of the audit log, stamped with the time that it is given', () => {
  const at = microsOf('2026-01-05T08:26:59.153001Z') as number;
  for (const row of fleet({ seed: 1, sessions: 8 })) {
    const inserted = auditRow(row, at);
    expect(inserted).toMatchObject({
      sessionId: row.sessionId,
      tool: row.tool,
      createdAt: '2026-01-05T08:26:59.153001Z',
    });
    expect(JSON.parse(inserted.arguments as string)).toEqual(row.arguments);
    expect(JSON.parse(inserted.response as string)).toEqual(row.response);
  }
});
