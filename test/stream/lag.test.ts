/** How far behind the stream is in time, by answers of a server that is at 1,000 bytes a second. */
import { expect, test } from 'vitest';
import { StreamLag } from '../../src/stream/lag.ts';
import { lsnOf } from '../../src/stream/lsn.ts';

const micros = (seconds: number) => seconds * 1_000_000;
const lsnAt = (seconds: number) => lsnOf(BigInt(Math.round(seconds * 1_000)));
const answer = (seconds: number) => ({ lsn: lsnAt(seconds), at: micros(1_000_000 + seconds) });

/** This machine's clock began at another time than the server's. */
const here = (seconds: number) => seconds * 1_000 + 77;

/** Asked every second until then, the stream `behind` by so many seconds all the time. */
function askedUntil(lag: StreamLag, seconds: number, behind: (now: number) => number): void {
  for (let now = 0; now <= seconds; now++) {
    lag.probed(answer(now), here(now));
    lag.reached(lsnAt(now - Math.min(now, behind(now))));
  }
}

test('nothing is known before the first answer, and nothing is late once the last one is reached', () => {
  const lag = new StreamLag();
  lag.reached(lsnAt(1));
  expect(lag.at(here(0))).toBeNull();
  askedUntil(lag, 10, () => 0);
  expect(lag.at(here(10.9))).toBe(0);
});

test('an idle server whose last answer is on its way is not late', () => {
  const lag = new StreamLag();
  askedUntil(lag, 10, () => 0);
  lag.probed(answer(11), here(11));
  expect(lag.at(here(11.03))).toBe(0);
  lag.reached(lsnAt(11));
  expect(lag.at(here(11.5))).toBe(0);
});

test('a stream that stands still is later with every moment, whether the server answers or not', () => {
  const lag = new StreamLag();
  askedUntil(lag, 10, () => 0);
  for (const now of [11, 12, 13]) lag.probed(answer(now), here(now));
  expect(lag.at(here(13))).toBe(3_000);
  expect(lag.at(here(20.5))).toBe(10_500);
  lag.reached(lsnAt(12));
  expect(lag.at(here(20.5))).toBe(8_500);
  lag.reached(lsnAt(13));
  lag.probed(answer(21), here(21));
  lag.reached(lsnAt(21));
  expect(lag.at(here(21))).toBe(0);
});

test('a server that answers no more may have gone on since', () => {
  const lag = new StreamLag();
  askedUntil(lag, 10, () => 0);
  expect(lag.at(here(12))).toBe(0);
  expect(lag.at(here(16))).toBe(6_000);
  expect(lag.at(here(70))).toBe(60_000);
});

test.each([5, 60, 1_000, 20_000])(
  'a stream that stays %d s behind is that late, give or take a question or a hundredth',
  (s) => {
    const lag = new StreamLag();
    askedUntil(lag, 2 * s, () => s);
    const off = lag.at(here(2 * s))! / 1_000 - s;
    expect(off).toBeGreaterThanOrEqual(0);
    expect(off).toBeLessThanOrEqual(Math.max(1, s / 100));
  },
);

test('while a long backlog is worked off the lag is as close', () => {
  const lag = new StreamLag();
  const began = 50_000;
  askedUntil(lag, began, () => began);
  for (let now = began + 1, at = 0; now - at > 30; now++) {
    at += 20;
    lag.probed(answer(now), here(now));
    lag.reached(lsnAt(at));
    const real = now - at;
    expect(lag.at(here(now))! / 1_000 - real).toBeLessThanOrEqual(Math.max(1, real / 100) + 0.001);
    expect(lag.at(here(now))! / 1_000).toBeGreaterThanOrEqual(real);
  }
});

test('a commit says where the server was before the first answer is reached, as after a long time away', () => {
  const lag = new StreamLag();
  lag.probed(answer(7_200), here(7_200));
  lag.committed(micros(1_000_000));
  expect(lag.at(here(7_201))).toBe(7_201_000);
  lag.committed(micros(1_000_000 + 7_000));
  lag.committed(micros(1_000_000 + 6_999));
  expect(lag.at(here(7_201))).toBe(201_000);
});

test('before anything was reached the wait for the first answer is what is known', () => {
  const lag = new StreamLag();
  lag.probed(answer(100), here(100));
  lag.probed(answer(101), here(101));
  expect(lag.at(here(104))).toBe(4_000);
});
