/**
 * What metrics cost: the same rows captured with metrics that are scraped every second, and without any, in two processes
 * at the same time, so that what else the machine does falls on both alike.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { MeteredPass } from '../metered.ts';
import { type RowSum, refuseOther, rowsOfJournal, rowsOfTable } from './held-rows.ts';
import { inNewDir } from './in-new-dir.ts';
import { type AuditLog, startAuditLog } from './log-server.ts';
import { median } from './pairs.ts';
import { startReader } from './pass.ts';
import { meteredCapture } from './readers.ts';

export interface OverheadOptions {
  rows: number;
  rounds: number;
  say(sentence: string): void;
}

interface Round {
  on: MeteredPass;
  off: MeteredPass;
  scrapes: number;
}

export interface OverheadResult {
  rows: number;
  rounds: Round[];
  /** With metrics, over without; 1 for no difference. */
  cpu: Spread;
  time: Spread;
}

export interface Spread {
  median: number;
  least: number;
  most: number;
}

const scrapeEveryMs = 1000;

export async function measureOverhead({ rows, rounds, say }: OverheadOptions): Promise<OverheadResult> {
  const log = await startAuditLog();
  try {
    await log.fill(rows, 1000);
    const expected = await rowsOfTable(log);
    // The first finds neither the WAL nor the program in memory.
    const warm = await roundOf(log, expected, ['on', 'off']);
    say(`${rows} rows, about ${(warm.on.ms / 1000).toFixed(0)} s a round`);
    const all: OverheadResult['rounds'] = [];
    for (let i = 0; i < rounds; i++) {
      const round = await roundOf(log, expected, i % 2 === 0 ? ['on', 'off'] : ['off', 'on']);
      const { on, off, scrapes } = round;
      all.push(round);
      say(
        `round ${i + 1}: CPU ${Math.round(on.cpuMs)} ms with metrics and ${scrapes} scrapes, ${Math.round(off.cpuMs)} without; ${Math.round(on.ms)} and ${Math.round(off.ms)} ms`,
      );
    }
    return {
      rows,
      rounds: all,
      cpu: spreadOf(all.map(({ on, off }) => on.cpuMs / off.cpuMs)),
      time: spreadOf(all.map(({ on, off }) => on.ms / off.ms)),
    };
  } finally {
    await log.stop();
  }
}

/** @throws Error where a journal does not hold the rows of the table, or nobody could scrape. */
async function roundOf(log: AuditLog, expected: RowSum, order: readonly ('on' | 'off')[]): Promise<Round> {
  return await inNewDir(async (dir) => {
    const passes: Partial<Record<'on' | 'off', MeteredPass>> = {};
    let scrapes = 0;
    const run = async (metrics: 'on' | 'off') => {
      const { pass, scraped } = await passOf(log, metrics, join(dir, metrics));
      passes[metrics] = pass;
      scrapes += scraped;
    };
    await Promise.all(order.map(run));
    for (const metrics of order) refuseOther(expected, rowsOfJournal(join(dir, metrics)));
    if (scrapes === 0) throw new Error('nothing was scraped: the pass was too short');
    return { on: passes.on!, off: passes.off!, scrapes };
  });
}

async function passOf(
  log: AuditLog,
  metrics: 'on' | 'off',
  dataDir: string,
): Promise<{ pass: MeteredPass; scraped: number }> {
  const slot = await log.newSlot();
  const reader = startReader(meteredCapture({ url: log.url, slot, dataDir }, metrics));
  const lines: string[] = [];
  reader.child.stdout?.on('data', (text: string) => lines.push(...text.split('\n').filter((line) => line !== '')));
  let scraped = 0;
  while (reader.endedAt() === null) {
    if (lines.length === 1 && metrics === 'on' && (await scrape(lines[0]!))) scraped += 1;
    await Promise.race([pause(scrapeEveryMs), reader.finished]);
  }
  await reader.finished;
  await log.dropSlot(slot);
  return { pass: JSON.parse(lines.at(-1)!) as MeteredPass, scraped };
}

/** False where it has just ended. */
async function scrape(url: string): Promise<boolean> {
  const answer = await fetch(url).catch(() => null);
  if (answer === null) return false;
  const text = await answer.text();
  if (!text.includes('tc_source_rows_total'))
    throw new Error(`${url} answered ${answer.status}: ${text.slice(0, 200)}`);
  return true;
}

function spreadOf(ratios: readonly number[]): Spread {
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}
