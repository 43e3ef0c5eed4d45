/** Numbers as a person reads them. */
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export function count(value: number): string {
  return whole.format(value);
}

/** `$12.30`, `$0.0421`, `$0.00012`; `unknown` is a value of its own. */
export function usd(value: number | null): string {
  if (value === null) return 'unknown';
  if (value === 0) return '$0';
  if (Math.abs(value) >= 1) return `$${cents.format(value)}`;
  if (Math.abs(value) >= 0.01) return `$${value.toFixed(4)}`;
  return `$${value.toFixed(Math.min(12, 1 - Math.floor(Math.log10(Math.abs(value)))))}`;
}

/** Where something of unknown cost is missing in a sum, the sum is a lower bound. */
export function usdAtLeast(value: number | null, unknown: number): string {
  return value === null || unknown === 0 ? usd(value) : `≥ ${usd(value)}`;
}

/** `0.12–0.31 USD`; the lower end rounded down, the upper one up. */
export function usdRange(range: { low: number; high: number } | null): string {
  if (range === null) return 'unknown';
  const { low, high } = range;
  if (high === 0) return '0 USD';
  const digits = Math.max(2, 1 - Math.floor(Math.log10(high)));
  const unit = 10 ** -Math.min(digits, 12);
  const [from, to] = [Math.floor(low / unit) * unit, Math.ceil(high / unit) * unit];
  const text = (value: number) =>
    value.toLocaleString('en', {
      minimumFractionDigits: Math.min(digits, 12),
      maximumFractionDigits: Math.min(digits, 12),
    });
  return `${text(from)}–${text(to)} USD`;
}

export function percent(part: number, all: number): string {
  return all === 0 ? '' : `${((100 * part) / all).toFixed(part === all ? 0 : 1)} %`;
}
