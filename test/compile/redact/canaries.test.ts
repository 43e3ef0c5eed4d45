import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { openCallStore } from '../../../src/compile/calls.ts';
import { createCompileStage } from '../../../src/compile/compile.ts';
import type { Compiler } from '../../../src/compile/compiler.ts';
import { createLlmCompiler } from '../../../src/compile/llm.ts';
import { createDoors } from '../../../src/compile/models/doors.ts';
import { createDetect } from '../../../src/compile/redact/detect.ts';
import type { Redactor } from '../../../src/compile/redact/redactor.ts';
import { createRulesCompiler } from '../../../src/compile/rules/rules.ts';
import { messageOf } from '../../../src/errors.ts';
import { answer, startGeminiServer } from '../../support/gemini-server.ts';
import { parcelRows, type Row, trajectoryOf } from '../../support/trajectories.ts';
import { redactorOf } from './detectors.ts';

/** Invented values, of kinds that are told by their form and of kinds that only a key or a cue gives away. */
const canaries = {
  email: 'zephyrine.oakhollow@example.com',
  phone: '07700 900461',
  card: '4000056655665556',
  iban: 'GB33BUKB20201555555555',
  nhs: '943 476 5919',
  awsKey: 'AKIAIOSFODNN7EXAMPLE',
  password: 'cU7!zephyr-Lantern',
  token: 'ghp_abcdefghijklmnopqrstuvwxyz0123456789',
  name: 'Zephyrine Oakhollow',
};

/** Each in several places and spellings: arguments, keys, JSON in strings, escapes, prose, agent, metadata. */
const rows: Row[] = [
  {
    tool: 'login',
    args: { user: 'clerk', password: canaries.password },
    response: { ok: true, token: canaries.token },
  },
  ...parcelRows,
  {
    tool: 'find_customer',
    args: { email: canaries.email },
    response: { customer_name: canaries.name, phone: canaries.phone },
  },
  {
    tool: 'shell',
    args: { command: `export AWS_ACCESS_KEY_ID=${canaries.awsKey} && login --password '${canaries.password}'` },
  },
  {
    tool: 'log',
    rawResponse: JSON.stringify({ line: JSON.stringify({ to: canaries.email, card: Number(canaries.card) }) }),
  },
  {
    tool: 'log',
    rawResponse: `{"from":"${canaries.email.replace('@', '\\u0040')}","${canaries.email}":"\\u0030${canaries.phone.slice(1)}"}`,
  },
  {
    tool: 'note',
    response: `Dear ${canaries.name}, IBAN ${canaries.iban}, NHS number ${canaries.nhs}. Zephyrine, call ${canaries.phone}!`,
  },
  {
    tool: 'cut',
    rawResponse: `{"iban":"${canaries.iban}","list":[{"password":"${canaries.password}"},{"to":"${canaries.email}`,
  },
  { agent: canaries.email, tool: 'note', response: `used ${canaries.password} and ${canaries.token}` },
];

const trajectory = () => {
  const whole = trajectoryOf(rows);
  const turns = whole.turns.map((turn) => ({ ...turn, metadata: { requested_by: canaries.email } }));
  return { ...whole, turns };
};

/** What of the canaries stands in a text, whichever way digits are grouped and escapes are written. */
function survivorsIn(text: string): string[] {
  const plain = text.replaceAll(/\\+u([0-9a-f]{4})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const packed = plain.replaceAll(/[\s-]/g, '');
  return Object.entries(canaries).flatMap(([name, value]) =>
    plain.includes(value) || packed.includes(value.replaceAll(/[\s-]/g, '')) ? [name] : [],
  );
}

/** A log as the process writes it. */
function recordingLog() {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { lines, log: pino({ level: 'trace' }, stream) };
}

const never = new AbortController().signal;
const realRedactor = () => redactorOf({ detect: createDetect({ names: [] }), vaultKey: 'a vault key of these tests' });

async function compileWith(compiler: Compiler, redactor: Redactor) {
  const calls = openCallStore(':memory:');
  try {
    const compiled = await createCompileStage({ compiler, calls, redactor }).compileTrajectory(trajectory(), never);
    return JSON.stringify(compiled);
  } finally {
    await calls.close();
  }
}

describe('no value of a row that is told by form, key or cue', () => {
  it('is in the rows of these tests by mistake only: they hold every one of them', () => {
    expect(survivorsIn(JSON.stringify(trajectory()))).toEqual(Object.keys(canaries));
  });

  it('is in what the rules compile', async () => {
    const redactor = realRedactor();
    const compiled = await compileWith(createRulesCompiler({ redaction: redactor.name }), redactor);
    expect(survivorsIn(compiled)).toEqual([]);
    expect(compiled).toContain('⟦EMAIL_1⟧');
    expect(JSON.parse(compiled).redactions).toMatchObject({ EMAIL: expect.any(Number), SECRET: expect.any(Number) });
  });

  it('is in a prompt, in what is stored of an answer that quotes it, or in the log', async () => {
    const redactor = realRedactor();
    const server = await startGeminiServer();
    const { lines, log } = recordingLog();
    const calls = openCallStore(':memory:');
    try {
      // A model that knows a value all the same, be it from its training: its answer is stored without it.
      const evidence = [1, 4, 7].map((turn) => ({ turn, quote: 'parcel: PX-4417' }));
      const pair = { evidence, question: `Who is ${canaries.email}?`, answer: canaries.card, qa_type: 'factoid' };
      server.play(answer(JSON.stringify({ pairs: [pair] })));
      const connections = { gemini: { apiKey: 'test-key', baseUrl: server.baseUrl } };
      const doors = createDoors({ connections, leaks: redactor.leaks }, calls, log);
      const door = doors.open({ provider: 'gemini', model: 'gemini-3.5-flash-lite' });
      const compiler = createLlmCompiler({ door, tier: 'cheap', redaction: redactor.name });
      const compiled = await compileWith(compiler, redactor);
      const prompts = JSON.stringify(server.received);
      expect(prompts).toContain('⟦EMAIL_1⟧');
      expect(survivorsIn(prompts)).toEqual([]);
      expect(JSON.parse(compiled).rejected).toMatchObject([{ reason: 'unredacted', answer: '⟦CARD⟧' }]);
      expect(survivorsIn(compiled)).toEqual([]);
      expect(survivorsIn(lines.join(''))).toEqual([]);
    } finally {
      await server.close();
      await calls.close();
    }
  });

  it('is in the error that sets a trajectory aside which could not be redacted, nor in its causes or its log line', async () => {
    const detect = createDetect({ names: [] });
    const redactor = redactorOf({
      detect: (text, context) => {
        if (text.includes('Dear')) throw new RangeError(`at "${text}"`);
        return detect(text, context);
      },
    });
    const { lines, log } = recordingLog();
    const error = await compileWith(createRulesCompiler({ redaction: redactor.name }), redactor).then(
      () => expect.unreachable(),
      (thrown: Error) => thrown,
    );
    log.error({ err: error }, messageOf(error));
    expect(error).toMatchObject({ kind: 'park', code: 'redaction_failed' });
    expect(survivorsIn(lines.join(''))).toEqual([]);
  });
});
