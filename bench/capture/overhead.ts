/**
 * What metrics cost: the same rows captured with metrics that are scraped about every second, and without any, in two
 * processes at the same time, so that what else the machine does falls on both alike.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { MeteredPass } from '../metered.ts';
import { type RowSum, refuseOther, rowsOfJournal, rowsOfTable } from './held-rows.ts';
import { inNewDir } from './in-new-dir.ts';
import { type AuditLog, startAuditLog } from './log-server.ts';
import { median } from './pairs.ts';
import { type RunningReader, startReader } from './pass.ts';
import { figuresOf } from './process-figures.ts';
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
  /** Rounds that were not counted, by which of the two had the page faults. */
  unlike: Record<'on' | 'off', number>;
  /** With metrics, over without; 1 for no difference. */
  cpu: Spread;
  time: Spread;
}

export interface Spread {
  median: number;
  least: number;
  most: number;
}

/**
 * What a capture runs of a second where it is alone on the machine. By the clock there would be more scrapes to a row the
 * busier the machine is.
 */
const scrapeEveryCpuMs = 750;
const lookEveryMs = 50;
const warmScrapes = 30;

export async function measureOverhead({ rows, rounds, say }: OverheadOptions): Promise<OverheadResult> {
  const log = await startAuditLog();
  try {
    await log.fill(rows, 1000);
    const expected = await rowsOfTable(log);
    // The first finds neither the WAL nor the program in memory.
    const warm = await roundOf(log, expected);
    say(`${rows} rows, about ${(warm.on.ms / 1000).toFixed(0)} s a round`);
    const all: OverheadResult['rounds'] = [];
    const unlike = { on: 0, off: 0 };
    for (let tries = 1; all.length < rounds && tries <= 4 * rounds; tries++) {
      const round = await roundOf(log, expected);
      if (isMatched(round)) all.push(round);
      else unlike[round.on.pageFaults > round.off.pageFaults ? 'on' : 'off'] += 1;
      say(sentenceOf(round));
    }
    if (all.length < rounds) throw new Error(`only ${all.length} of ${4 * rounds} rounds can be compared`);
    return {
      rows,
      rounds: all,
      unlike,
      cpu: spreadOf(all.map(({ on, off }) => on.cpuMs / off.cpuMs)),
      time: spreadOf(all.map(({ on, off }) => on.ms / off.ms)),
    };
  } finally {
    await log.stop();
  }
}

/** @throws Error where a journal does not hold the rows of the table, or nobody could scrape. */
async function roundOf(log: AuditLog, expected: RowSum): Promise<Round> {
  return await inNewDir(async (dir) => {
    const [on, off] = await Promise.all([open(log, 'on', join(dir, 'on')), open(log, 'off', join(dir, 'off'))]);
    for (const { reader } of [on, off]) reader.child.stdin?.end();
    const scrapes = await scrapeUntilEnd(on);
    await off.reader.finished;
    for (const { slot, dataDir } of [on, off]) {
      await log.dropSlot(slot);
      refuseOther(expected, rowsOfJournal(dataDir));
    }
    if (scrapes === 0) throw new Error('nothing was scraped: the pass was too short');
    return { on: passOf(on), off: passOf(off), scrapes };
  });
}

interface Opened {
  reader: RunningReader;
  /** On its stdout so far. */
  lines: string[];
  slot: string;
  dataDir: string;
}

/** Resolves when it waits to begin, scraped as often as it takes to have everything compiled that a scrape needs. */
async function open(log: AuditLog, metrics: 'on' | 'off', dataDir: string): Promise<Opened> {
  const slot = await log.newSlot();
  const reader = startReader(meteredCapture({ url: log.url, slot, dataDir }, metrics));
  const lines: string[] = [];
  reader.child.stdout?.on('data', (text: string) => lines.push(...text.split('\n').filter((line) => line !== '')));
  while (lines.length === 0) await Promise.race([pause(10), reader.finished]);
  for (let i = 0; metrics === 'on' && i < warmScrapes; i++) await scrape(lines[0]!);
  return { reader, lines, slot, dataDir };
}

async function scrapeUntilEnd({ reader, lines }: Opened): Promise<number> {
  const cpuMs = () => figuresOf(reader.child.pid ?? 0)?.cpuMs ?? 0;
  let scrapes = 0;
  let due = cpuMs();
  while (reader.endedAt() === null) {
    if (cpuMs() >= due && lines.length === 1 && (await scrape(lines[0]!))) {
      scrapes += 1;
      due = cpuMs() + scrapeEveryCpuMs;
    }
    await Promise.race([pause(lookEveryMs), reader.finished]);
  }
  await reader.finished;
  return scrapes;
}

function passOf({ lines }: Opened): MeteredPass {
  return JSON.parse(lines.at(-1)!) as MeteredPass;
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

/**
 * Of the same passes some have five times the page faults of others, and a tenth more CPU, with metrics as without and
 * whatever the sizes of the heap are set to: only alike is compared with alike.
 */
function isMatched({ on, off }: Round): boolean {
  const ratio = on.pageFaults / off.pageFaults;
  return ratio > 0.5 && ratio < 2;
}

function sentenceOf(round: Round): string {
  const { on, off, scrapes } = round;
  const cpu = `CPU ${Math.round(on.cpuMs)} ms with metrics and ${scrapes} scrapes, ${Math.round(off.cpuMs)} without`;
  return `${cpu}; ${Math.round(on.ms)} and ${Math.round(off.ms)} ms${isMatched(round) ? '' : `; not counted: ${on.pageFaults} and ${off.pageFaults} page faults`}`;
}

function spreadOf(ratios: readonly number[]): Spread {
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}
