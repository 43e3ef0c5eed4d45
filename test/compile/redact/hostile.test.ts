import { expect, it } from 'vitest';
import { trajectoryOf } from '../../support/trajectories.ts';
import { redactorOf } from './detectors.ts';

const half = 300_000;
const filled = (piece: string) => piece.repeat(Math.ceil(half / piece.length)).slice(0, half);

/** Nesting, escapes and repetition that a walk which looks back would take minutes for. */
const texts: [string, string][] = [
  ['100,000 open lists', '['.repeat(100_000)],
  ['100,000 nested objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
  ['names that are all different, nested', `${Array.from({ length: 20_000 }, (_, n) => `{"k${n}":`).join('')}1`],
  ['backslashes', filled('\\')],
  ['a string of escaped quotes that does not end', `{"a":"${filled('\\"')}`],
  ['documents, the last one cut', filled('{"a":1}\n{"a":')],
  ['escaped brackets', filled('\\u27e6')],
  ['brackets', filled('⟦⟧')],
  ['imitated placeholders', filled('⟦EMAIL_1⟧ ')],
  [
    'one word repeated, of which longer and longer secrets are made',
    `${JSON.stringify(Array.from({ length: 300 }, (_, n) => ({ password: 'ab1 '.repeat(4 + (n % 20)) })))}${filled('ab1 ')}`,
  ],
  ['names that all share a word', names()],
  ['JSON in strings in strings', nested()],
];

function names(): string {
  const all = Array.from({ length: 20_000 }, (_, n) => ({ customer_name: `Tamsin Q${n.toString(36)}` }));
  return JSON.stringify([...all, ...all.flatMap(() => ['Tamsin', 'Tamsin.'])]);
}

function nested(): string {
  let text = '{"to":"bob@example.com"}';
  while (text.length < half) text = JSON.stringify({ text });
  return text;
}

// Quadratic work on any of them takes longer than a test may.
it.each(texts)(
  'time grows with the length of a text alone: %s',
  async (_, text) => {
    const redactor = redactorOf();
    const { trajectory } = await redactor.redact(trajectoryOf([{ rawResponse: text }]));
    expect(trajectory.turns[0]?.response).not.toMatch(/bob@example|⟦(?!EMAIL_1⟧|SECRET_|PERSON_)/);
    expect(redactor.leaks(text).filter((kind) => kind !== 'EMAIL')).toEqual([]);
  },
  20_000,
);
