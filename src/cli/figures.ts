/** Figures as a person reads them, beside those of the dataset. */
import { count } from '../dataset/figures.ts';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(n: number): string {
  const power = n < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(n) / 10));
  return `${(n / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** `1 row`, `2 rows`, `2 trajectories`. */
export function counted(n: number, what: string): string {
  return `${count(n)} ${n === 1 ? what : what.replace(/y$/, 'ie').concat('s')}`;
}
