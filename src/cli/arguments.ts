/** Values of a command's own options. */
import { InvalidArgumentError } from 'commander';

/** A whole number of at least 0. */
export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('give a whole number.');
  return Number(text);
}

/** `max`, or by how much recorded time is compressed. */
export function parseSpeed(text: string): 'max' | number {
  const factor = Number(text);
  if (text === 'max') return text;
  if (!Number.isFinite(factor) || factor <= 0)
    throw new InvalidArgumentError('give max, or a number above 0 such as 60.');
  return factor;
}
