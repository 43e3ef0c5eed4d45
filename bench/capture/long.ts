/** Memory of the whole process where the log is long: one transaction of very many rows, and a history. */
import { refuseOther, rowsOfJournal, rowsOfTable } from './held-rows.ts';
import { inNewDir } from './in-new-dir.ts';
import { startAuditLog } from './log-server.ts';
import { runReader } from './pass.ts';
import { type Built, ourCapture } from './readers.ts';

export interface LongResult {
  what: string;
  rows: number;
  seconds: number;
  peakBytes: number;
}

/** In the heap that memory has to do with; more of it would only be garbage. */
const flags = ['--max-old-space-size=256'];

/** @throws Error where the process fails, out of memory for one, or its journal does not hold the rows of the table. */
export async function captureLongTransaction(built: Built, rows: number): Promise<LongResult> {
  return captureAll(built, { what: `one transaction of ${rows} rows of 1 KB`, rows, size: 'usual', args: ['--once'] });
}

/** @throws Error as {@link captureLongTransaction}. */
export async function captureHistory(built: Built, rows: number): Promise<LongResult> {
  const args = ['--once', '--from', 'beginning'];
  return captureAll(built, { what: `a history of ${rows} small rows`, rows, size: 'small', args });
}

interface Capturing {
  what: string;
  rows: number;
  size: 'usual' | 'small';
  args: string[];
}

async function captureAll(built: Built, { what, rows, size, args }: Capturing): Promise<LongResult> {
  const log = await startAuditLog();
  try {
    await log.fill(rows, null, size);
    const slot = await log.newSlot();
    return await inNewDir(async (dataDir) => {
      const began = performance.now();
      const { peakBytes } = await runReader(ourCapture(built, { url: log.url, slot, dataDir, flags, args }));
      const seconds = (performance.now() - began) / 1000;
      refuseOther(await rowsOfTable(log), rowsOfJournal(dataDir));
      return { what, rows, seconds, peakBytes };
    });
  } finally {
    await log.stop();
  }
}
