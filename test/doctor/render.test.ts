import { expect, it } from 'vitest';
import { failure, ok, warning } from '../../src/checks.ts';
import { renderPart } from '../../src/doctor/render.ts';

const long = `prose ${'that goes on and on '.repeat(6)}`.trim();

it('sentences are wrapped, and what mends a thing stands whole on a line of its own', () => {
  const remedy = `kafka-configs.sh ${'--add-config x=1 '.repeat(8)}`.trim();
  const checks = [ok('a', 'all is well'), warning('a_longer_name', long, remedy), failure('b', 'bad\u001b[2J', null)];
  const lines = renderPart({ part: 'Kafka', checks }, { width: 80, colour: false }).split('\n');
  expect(lines[0]).toBe('Kafka');
  expect(lines[1]).toBe('ok       a              all is well');
  expect(lines).toContain(`${' '.repeat(24)}→ ${remedy}`);
  expect(lines.filter((line) => !line.includes('→')).every((line) => line.length <= 80)).toBe(true);
  // What others said can't steer the terminal.
  expect(lines.at(-1)).toBe('FAILURE  b              bad·[2J');
});
