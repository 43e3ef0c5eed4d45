/** How fast: megabytes of row text a second, against JSON read and written; and seconds a megabyte of hostile text. */
import type { Redactor } from '../../src/compile/redact/redactor.ts';
import type { Trajectory } from '../../src/records.ts';
import { recordedTrajectories, textsOf, trajectoryOf } from './recorded.ts';
import { redactAll } from './sessions.ts';

const bytesPerMegabyte = 1e6;

/** Until the compiler has seen what is hot: it goes on getting faster for about seven passes. */
const warmUps = 8;

export interface Throughput {
  megabytes: number;
  /** Medians, in megabytes of UTF-8 a second. */
  redactor: number;
  json: number;
}

/** The two in turn, so that what else the machine does meets both. */
export async function throughputOf(open: () => Redactor, repeats: number): Promise<Throughput> {
  const trajectories = recordedTrajectories();
  const texts = trajectories.flatMap(({ turns }) => turns.flatMap((turn) => [turn.arguments, turn.response]));
  const json = texts.filter((text) => text !== null);
  const megabytes =
    trajectories.flatMap(textsOf).reduce((sum, text) => sum + Buffer.byteLength(text), 0) / bytesPerMegabyte;
  const rates = { redactor: [] as number[], json: [] as number[] };
  for (let repeat = -warmUps; repeat < repeats; repeat++) {
    const redactor = open();
    const took = await secondsOf(() => redactAll(redactor, trajectories));
    await redactor.close();
    const tookJson = await secondsOf(() => json.forEach((text) => void JSON.stringify(JSON.parse(text))));
    if (repeat < 0) continue;
    rates.redactor.push(megabytes / took);
    rates.json.push(megabytes / tookJson);
  }
  return { megabytes, redactor: medianOf(rates.redactor), json: medianOf(rates.json) };
}

/**
 * The lesser of elapsed and processor time: other processes on the machine are in the one, the threads that compile and
 * collect garbage beside the work in the other.
 */
async function secondsOf(work: () => unknown): Promise<number> {
  const [begin, used] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(used);
  return Math.min((performance.now() - begin) / 1e3, (user + system) / 1e6);
}

function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Each is repeated to fill a megabyte: as one string of JSON, and as the members of a row where that is what is hostile. */
export const hostileUnits = [
  '0',
  '1 ',
  '4-',
  '9.',
  '+44 ',
  '@',
  'a@',
  'a.',
  'a@a.',
  ' ',
  '\n',
  'f',
  'a1',
  ':',
  '::',
  '1:',
  '/',
  '://',
  'a://a:a',
  '[',
  '{"',
  '(',
  '"',
  '\\',
  '\\"',
  'é',
  '🙂',
  '⟦',
  '⟦EMAIL_1⟧',
  'name: ',
  'Mr ',
  'Dear ',
  'A',
  'Ab ',
  'GB',
  'GB29 ',
  'AB12 ',
  'SW1A ',
  '12 High ',
  'Street ',
  '1/',
  '1990-01-',
  'dob ',
  'password=',
  'password: "',
  'Password=a;',
  'token is ',
  'authorization: ',
  'eyJ',
  'eyJ-',
  'eyJa.',
  'sk-proj-',
  'ya29.',
  'AKIA',
  '-',
  '-----BEGIN PRIVATE KEY-----',
  '-----END PRIVATE KEY-----',
  'postgres://a:',
  'curl -u ',
  'secret',
  '0x',
  '1,',
  '%41',
  '\\u0041',
  'x=1&',
  '=',
  'john.smith@example.org ',
  '4111 1111 1111 ',
];

export interface Hostile {
  unit: string;
  /** Seconds a megabyte. */
  seconds: number;
}

export async function hostileTimes(open: () => Redactor): Promise<Hostile[]> {
  const template = recordedTrajectories()[0]!.turns[0]!;
  const times: Hostile[] = [];
  for (const unit of hostileUnits) {
    const text = unit.repeat(Math.ceil(bytesPerMegabyte / Buffer.byteLength(unit)));
    const trajectory: Trajectory = trajectoryOf([{ ...template, response: JSON.stringify(text), arguments: '{}' }]);
    const redactor = open();
    times.push({ unit, seconds: await secondsOf(() => redactor.redact(trajectory)) });
    await redactor.close();
  }
  return times.sort((a, b) => b.seconds - a.seconds);
}
