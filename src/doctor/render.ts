/** What was found, for a person: a part with its checks, what mends each on a line of its own, whole, to be copied. */
import type { Check } from '../checks.ts';
import { printable, type Style, styled, type Terminal, wrap } from '../dataset/terminal.ts';
import type { Examined } from './parts.ts';

export const marks = { ok: 'ok', warning: 'warning', failure: 'FAILURE' } as const satisfies Record<
  Check['outcome'],
  string
>;
const styles: Record<Check['outcome'], Style> = { ok: 'green', warning: 'yellow', failure: 'bold' };
const markWidth = Math.max(...Object.values(marks).map(({ length }) => length));
const gap = '  ';

export function renderPart({ part, checks }: Pick<Examined, 'part' | 'checks'>, terminal: Terminal): string {
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  return [styled(part, 'bold', terminal), ...checks.flatMap((check) => linesOf(check, nameWidth, terminal))].join('\n');
}

function linesOf({ outcome, name, sentence, remedy }: Check, nameWidth: number, terminal: Terminal): string[] {
  const indent = ' '.repeat(markWidth + nameWidth + 2 * gap.length);
  const mark = styled(marks[outcome].padEnd(markWidth), styles[outcome], terminal);
  const [first = '', ...rest] = wrap(printable(sentence), Math.max(20, terminal.width - indent.length));
  return [
    `${mark}${gap}${name.padEnd(nameWidth)}${gap}${first}`,
    ...rest.map((line) => `${indent}${line}`),
    ...(remedy === null ? [] : [`${indent}→ ${printable(remedy)}`]),
  ];
}
