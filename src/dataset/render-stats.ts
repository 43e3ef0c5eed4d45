/** The numbers of the dataset as tables. */
import Table from 'cli-table3';
import { count, percent, usd, usdAtLeast, usdRange } from './figures.ts';
import type { Counts, DatasetStats } from './stats.ts';
import { printable, styled, type Terminal } from './terminal.ts';

const shownDays = 14;

/** What recorded calls were expected to cost, and did. */
export interface SettledCost {
  segments: number;
  estimatedUsd: { low: number; high: number };
  settledUsd: number;
}

export function renderStats(stats: DatasetStats & { settled?: SettledCost | null }, terminal: Terminal): string {
  const sections = [
    overview(stats, terminal),
    counts('Pairs by type', stats.pairsByType, terminal),
    counts('Pairs by verification', stats.pairsByVerification, terminal),
    counts('Pairs by status', stats.pairsByStatus, terminal),
    segments(stats, terminal),
    counts('Rejected pairs by reason', stats.rejectionsByReason, terminal),
    models(stats, terminal),
    settled(stats.settled ?? null, terminal),
    days(stats, terminal),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function overview(stats: DatasetStats, terminal: Terminal): string {
  const { costUsd, unknownCosts, pairs } = stats;
  const rows: [string, string, string][] = [
    [
      'pairs',
      count(pairs),
      stats.duplicates > 0 ? `and ${count(stats.duplicates)} that ask the same of other things` : '',
    ],
    ['sessions', count(stats.sessions), ''],
    ['agents', count(stats.agents.length), listed(stats.agents, terminal)],
    ['trajectories', count(stats.trajectories), `${count(stats.trajectoriesWithPairs)} with pairs`],
    ['turns', count(stats.turns), ''],
    ['rejected pairs', count(stats.rejected), ''],
    [
      'cost',
      usdAtLeast(costUsd, unknownCosts),
      unknownCosts > 0 ? `${count(unknownCosts)} of unknown cost left out` : '',
    ],
    ['cost per pair', pairs === 0 ? '–' : usdAtLeast(stats.costPerPairUsd, unknownCosts), ''],
  ];
  return section('Dataset', ['', '', ''], rows, terminal, [1]);
}

function listed(names: string[], { width }: Terminal): string {
  const text = printable(names.join(', ')).replaceAll('\n', ' ');
  const room = width - 40;
  return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
}

function counts(title: string, values: Counts, terminal: Terminal): string {
  const entries = Object.entries(values);
  const all = entries.reduce((sum, [, value]) => sum + value, 0);
  const rows = entries.map(([name, value]) => [printable(name), count(value), percent(value, all)]);
  return section(title, ['', '', ''], rows, terminal, [1, 2]);
}

function segments({ segments: outcomes }: DatasetStats, terminal: Terminal): string {
  const all = outcomes.reduce((sum, it) => sum + it.segments, 0);
  const rows = outcomes.map((it) => [
    it.outcome,
    it.reason === it.outcome ? '' : printable(it.reason ?? ''),
    count(it.segments),
    percent(it.segments, all),
  ]);
  return section('Segments by outcome', ['', '', '', ''], rows, terminal, [2, 3]);
}

function models({ models: uses }: DatasetStats, terminal: Terminal): string {
  const rows = uses.map((use) => [
    `${printable(use.model)} (${use.stage})`,
    count(use.calls),
    count(use.failed),
    count(use.promptTokens),
    count(use.cachedTokens),
    count(use.outputTokens + use.thinkingTokens),
    usdAtLeast(use.costUsd, use.unknownCostCalls),
  ]);
  const head = ['', 'calls', 'failed', 'prompt', 'cached', 'output', 'cost'];
  return section('Model calls and tokens', head, rows, terminal, [1, 2, 3, 4, 5, 6]);
}

function settled(cost: SettledCost | null, terminal: Terminal): string {
  if (cost === null) return '';
  const rows = [
    [
      'estimated',
      usdRange(cost.estimatedUsd),
      `for ${count(cost.segments)} ${cost.segments === 1 ? 'segment' : 'segments'} at list prices of their day`,
    ],
    ['settled', usd(cost.settledUsd), 'of calls whose cost is known'],
  ];
  return section('Estimate against settled', ['', '', ''], rows, terminal, [1]);
}

function days({ days: all }: DatasetStats, terminal: Terminal): string {
  const shown = all.slice(-shownDays);
  const rows = shown.map((it) => [
    it.day ?? 'undated',
    count(it.pairs),
    count(it.calls),
    usdAtLeast(it.costUsd, it.unknownCosts),
  ]);
  const title = all.length > shown.length ? `By day (the last ${shownDays} of ${count(all.length)})` : 'By day';
  return section(title, ['', 'pairs', 'calls', 'cost'], rows, terminal, [1, 2, 3]);
}

const noBorders = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' ' },
};

/** Empty where there is nothing to tell. */
function section(title: string, head: string[], rows: string[][], terminal: Terminal, numbers: number[]): string {
  if (rows.length === 0) return '';
  const headless = head.every((name) => name === '');
  const table = new Table({
    chars: noBorders,
    style: { head: [], border: [], 'padding-left': 1, 'padding-right': 1 },
    colAligns: head.map((_, column) => (numbers.includes(column) ? 'right' : 'left')),
  });
  if (!headless) table.push(head.map((name) => styled(name, 'dim', terminal)));
  table.push(...rows);
  const lines = table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
  return [styled(title, 'bold', terminal), ...lines].join('\n');
}
