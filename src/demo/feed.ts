/** The fleet at work: its rows appended to an audit log as if agents had just acted. */
import { paced } from '../load/paced.ts';
import { appendRows } from '../postgres/append.ts';
import { describeTable, type TableSettings } from '../postgres/audit-table.ts';
import { clientConfig, openClient } from '../postgres/connection.ts';
import { auditRow } from './audit-row.ts';
import { defaultSessions, fleet } from './fleet.ts';

export interface FeedOptions extends TableSettings {
  url: string;
  seed: number;
  /** Simulated milliseconds that pass in a real one. */
  speed: number;
  /** Go on with further sessions until the signal fires. */
  keep: boolean;
  signal: AbortSignal;
}

/** Resolves when the fleet's work is done, or soon after the signal fires. @throws what `pg` throws. */
export async function feedFleet({ url, seed, speed, keep, signal, ...table }: FeedOptions): Promise<void> {
  const client = await openClient(clientConfig(url, { purpose: 'demo fleet' }));
  try {
    const audit = await describeTable(client, table);
    for (let shift = 0; shift === 0 || keep; shift++) {
      const rows = fleet({ seed: seed + shift, sessions: defaultSessions });
      for await (const due of paced(rows, { speed, signal })) {
        const at = Date.now() * 1000;
        await appendRows(
          client,
          audit,
          due.map((row) => auditRow(row, at)),
        );
      }
      if (signal.aborted) return;
    }
  } finally {
    await client.end();
  }
}
