/** Pairs with their supporting turns as tables, one a pair. */
import Table from 'cli-table3';
import { type Excerpt, excerptOf, readable } from './excerpt.ts';
import { usd } from './figures.ts';
import type { SampledPair, SupportingTurn } from './sample.ts';
import { printable, styled, type Terminal, wrap } from './terminal.ts';

/** Borders and padding of two columns. */
const frame = 7;
const argumentsLength = 160;
const responseLength = 420;

export function renderSample(pairs: SampledPair[], terminal: Terminal): string {
  if (pairs.length === 0) return 'no pairs match\n';
  return `${pairs.map((pair, index) => renderPair(pair, `${index + 1} of ${pairs.length}`, terminal)).join('\n\n')}\n`;
}

function renderPair(pair: SampledPair, place: string, terminal: Terminal): string {
  const labelWidth = terminal.width < 90 ? 16 : 24;
  const textWidth = terminal.width - labelWidth - frame;
  const table = new Table({
    colWidths: [labelWidth + 2, textWidth + 2],
    style: { head: [], border: terminal.colour ? ['gray'] : [] },
  });
  const cell = (text: string, width = textWidth) => wrap(printable(text), width).join('\n');
  table.push(
    [{ colSpan: 2, content: styledLines(cell(titleOf(pair, place), textWidth + labelWidth), 'dim', terminal) }],
    [styled('Question', 'bold', terminal), styledLines(cell(pair.question ?? ''), 'bold', terminal)],
    [styled('Answer', 'bold', terminal), styledLines(cell(pair.answer ?? ''), 'green', terminal)],
    ...pair.supportingTurns.map((turn) => [
      styledLines(cell(labelOf(turn, pair.agent), labelWidth), 'cyan', terminal),
      textOf(turn, textWidth, terminal),
    ]),
  );
  return table.toString();
}

function titleOf(pair: SampledPair, place: string): string {
  const reason = pair.verificationReason === null ? '' : ` (${pair.verificationReason})`;
  const facts = [
    place,
    pair.qaType ?? 'no type',
    `${pair.verification}${reason}`,
    ...(pair.duplicateOf === null ? [] : ['duplicate']),
    `session ${pair.sessionId ?? 'unknown'}${pair.part ? ` part ${pair.part}` : ''}`,
    ...(pair.agent === null ? [] : [`agent ${pair.agent}`]),
    ...(pair.turnCount === null ? [] : [`${pair.turnCount} turns`]),
    pair.sourceModel ?? 'unknown model',
    usd(pair.costUsd),
  ];
  return facts.join(' · ');
}

/** The agent is named where it is another than the pair's. */
function labelOf({ turn, tool, agent }: SupportingTurn, ofPair: string | null): string {
  const label = `#${String(turn).padStart(3, '0')} ${tool ?? ''}`.trimEnd();
  return agent === null || agent === ofPair ? label : `${label}\nby ${agent}`;
}

function textOf(turn: SupportingTurn, width: number, terminal: Terminal): string {
  if (turn.rowKey === null) return styled('the turn is not in the dataset', 'dim', terminal);
  const called = excerpt(turn.arguments, turn.quotes, argumentsLength);
  const answered = excerpt(turn.response, turn.quotes, responseLength);
  const lines = [
    ...(called === null ? [] : paint(called, width, terminal, '')),
    ...(answered === null ? [] : paint(answered, width, terminal, '→ ')),
  ];
  const [quote] = turn.quotes;
  if (quote !== undefined && !called?.quote && !answered?.quote && !namesTheCall(quote, turn)) {
    lines.push(...wrap(printable(`“${quote}”`), width));
  }
  return lines.join('\n');
}

/** A quote of agent and tool stands in the label. */
function namesTheCall(quote: string, { agent, tool }: SupportingTurn): boolean {
  return excerptOf(`${agent ?? ''} ${tool ?? ''}`, quote, 0).quote !== '';
}

/** Round the first of the quotes that stands there. Null where there is nothing to show. */
function excerpt(text: string | null, quotes: string[], length: number): Excerpt | null {
  if (text === null || /^\s*(null|\{\s*\}|\[\s*\])?\s*$/.test(text)) return null;
  const folded = printable(readable(text))
    .replace(/[ \n]*\n[ \n]*/g, '\n')
    .replace(/ {2,}/g, ' ')
    .trim();
  const found = quotes.map((quote) => excerptOf(folded, printable(quote), length)).find(({ quote }) => quote !== '');
  return found ?? excerptOf(folded, undefined, length);
}

/** The quote stands out; each line is styled by itself, since a cell's lines are cut apart by its borders. */
function paint(parts: Excerpt, width: number, terminal: Terminal, lead: string): string[] {
  const text = lead + parts.before + parts.quote + parts.after;
  const lines = wrap(text, width);
  if (parts.quote === '') return lines;
  const from = bareLength(lead + parts.before);
  const to = from + bareLength(parts.quote);
  let passed = 0;
  return lines.map((line) => {
    const length = bareLength(line);
    const [start, end] = [Math.max(0, from - passed), Math.min(length, to - passed)];
    passed += length;
    if (end <= start) return line;
    const [first, last] = [indexOfBare(line, start), indexOfBare(line, end - 1) + 1];
    return line.slice(0, first) + styled(line.slice(first, last), 'yellow', terminal) + line.slice(last);
  });
}

/** Wrapping moves white space alone: characters besides it keep their count. */
function bareLength(text: string): number {
  return text.replace(/\s/g, '').length;
}

function indexOfBare(text: string, nth: number): number {
  let seen = -1;
  for (let index = 0; index < text.length; index++) {
    if (!/\s/.test(text[index]!)) seen++;
    if (seen === nth) return index;
  }
  return text.length;
}

function styledLines(text: string, style: Parameters<typeof styled>[1], terminal: Terminal): string {
  return text
    .split('\n')
    .map((line) => styled(line, style, terminal))
    .join('\n');
}
