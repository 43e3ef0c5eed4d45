/** Daily quotas of Google are renewed at midnight Pacific time. */

const clock = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'America/Los_Angeles',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const hourMs = 3_600_000;
const soonMs = 15 * 60_000;

/**
 * When a daily quota that is used up at `now` may be there again: the next midnight Pacific time; a quarter of an hour
 * later where the day has only just begun, since quotas are renewed somewhat late.
 */
export function quotaRenewal(now: Date): Date {
  const passed = sinceMidnightMs(now);
  if (passed < hourMs) return new Date(now.getTime() + soonMs);
  const next = new Date(now.getTime() - passed + 24 * hourMs);
  // On the days when clocks change, midnight is an hour nearer or further.
  const over = sinceMidnightMs(next);
  return new Date(next.getTime() + (over > 12 * hourMs ? 24 * hourMs - over : -over));
}

function sinceMidnightMs(at: Date): number {
  const [hours, minutes, seconds] = clock.format(at).split(':').map(Number) as [number, number, number];
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 + at.getUTCMilliseconds();
}
