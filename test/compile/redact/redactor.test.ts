import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMemoryPlaceholders } from '../../../src/compile/redact/placeholders-sqlite.ts';
import { noRedaction, redactOrPark } from '../../../src/compile/redact/redactor.ts';
import type { Trajectory } from '../../../src/records.ts';
import { type Row, trajectoryOf } from '../../support/trajectories.ts';
import { detectForms, redactorOf } from './detectors.ts';

/** Responses as JSON text, after redaction. */
async function responses(...texts: string[]): Promise<(string | null)[]> {
  return responsesOf(await redact(texts.map((rawResponse) => ({ rawResponse }))));
}

async function redact(rows: Row[], redactor = redactorOf()): Promise<Trajectory> {
  return (await redactor.redact(trajectoryOf(rows))).trajectory;
}

const responsesOf = ({ turns }: Trajectory) => turns.map(({ response }) => response);

describe('JSON text', () => {
  it('changes where a value stood and nowhere else: numbers, spaces and escapes survive byte for byte', async () => {
    const text = '{ "a" : 1.10, "b":9007199254740993,\n"c":"\\u00e9\\/ \\"bob@example.com\\"", "d":[1e3,-0, null] }';
    expect(await responses(text)).toEqual([text.replace('bob@example.com', '⟦EMAIL_1⟧')]);
  });

  it('has a string where a number was a card, an account or a telephone, at its key or anywhere', async () => {
    expect(await responses('{"card": 4111111111111111, "n": [4111111111111111, 7]}', '4111111111111111')).toEqual([
      '{"card": "⟦CARD_1⟧", "n": ["⟦CARD_1⟧", 7]}',
      '"⟦CARD_1⟧"',
    ]);
    expect(await responses('{"member": 482913}', '{"id": 482913, "of": 4829130}')).toEqual([
      '{"member": "⟦NATIONAL_ID_1⟧"}',
      '{"id": "⟦NATIONAL_ID_1⟧", "of": 4829130}',
    ]);
  });

  it('is read through its escapes, however a value is written', async () => {
    expect(await responses('{"to":"bob\\u0040example\\u002ecom","\\u0070assword":"s3cret!\\/x"}')).toEqual([
      '{"to":"⟦EMAIL_1⟧","\\u0070assword":"⟦SECRET_1⟧"}',
    ]);
  });

  it('inside of strings is walked in turn, level by level, and what is replaced fits its level', async () => {
    const inner = JSON.stringify({ password: 'k"1\\x99', card: 4111111111111111 });
    const text = JSON.stringify({ out: JSON.stringify({ log: inner, to: 'bob@example.com' }) });
    const [redacted] = await responses(text);
    const middle = JSON.parse(JSON.parse(redacted!).out) as { log: string; to: string };
    expect(middle.to).toBe('⟦EMAIL_1⟧');
    expect(JSON.parse(middle.log)).toEqual({ password: '⟦SECRET_1⟧', card: '⟦CARD_1⟧' });
  });

  it('has its member names redacted too', async () => {
    expect(await responses('{"bob@example.com":{"unread":3},"plain":1}')).toEqual([
      '{"⟦EMAIL_1⟧":{"unread":3},"plain":1}',
    ]);
  });

  it('that is cut, several lines of it, and text that is none are read as far as they go', async () => {
    const cut = '{"password":"hunter-22","list":[{"to":"bob@example.com"},{"from":"eve\\u0040exam';
    expect(await responses(`${cut}ple.com`)).toEqual([
      '{"password":"⟦SECRET_1⟧","list":[{"to":"⟦EMAIL_1⟧"},{"from":"⟦EMAIL_2⟧',
    ]);
    expect(await responses('{"password":"hunter-22"}\n{"password":"hunter-23"}\nsee bob@example.com')).toEqual([
      '{"password":"⟦SECRET_1⟧"}\n{"password":"⟦SECRET_2⟧"}\nsee ⟦EMAIL_1⟧',
    ]);
    expect(await responses('[07700 900123] rang', '4111111111111111 was used')).toEqual([
      '[⟦PHONE_1⟧] rang',
      '⟦CARD_1⟧ was used',
    ]);
  });

  it('stays JSON of the same shape, and every other value what it was', async () => {
    const harmless = fc.oneof(
      fc.integer({ max: 1e14 }),
      fc.boolean(),
      fc.constant(null),
      fc.stringMatching(/^[a-z \n"\\é😀{}[\]:,]{0,20}$/u),
    );
    const personal = fc.constantFrom('bob@example.com', 'Ring 07700 900123!', '"eve@example.org"', 4111111111111111);
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        harmless,
        personal,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.stringMatching(/^[a-z"\\ ]{1,6}$/), tie('value'), { maxKeys: 4 }),
      ),
    })).value;
    const expected = (value: unknown): unknown => {
      if (value === 4111111111111111) return 'CARD';
      if (typeof value === 'string')
        return value.replaceAll(/bob@example.com|eve@example.org/g, 'EMAIL').replaceAll('07700 900123', 'PHONE');
      if (Array.isArray(value)) return value.map(expected);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, expected(member)]));
    };
    await fc.assert(
      fc.asyncProperty(tree, async (value) => {
        const [redacted] = await responses(JSON.stringify(value));
        expect(JSON.parse(redacted!.replaceAll(/⟦([A-Z]+)_\d⟧/g, '$1'))).toEqual(expected(value));
      }),
      { numRuns: 150 },
    );
  });
});

describe('one value', () => {
  it('has one placeholder, however it is spelled, and another value another', async () => {
    const found = await responses('"Bob@Example.com, 07700 900123"', '"eve@example.com 07700900123 bob@example.COM"');
    expect(found).toEqual(['"⟦EMAIL_1⟧, ⟦PHONE_1⟧"', '"⟦EMAIL_2⟧ ⟦PHONE_1⟧ ⟦EMAIL_1⟧"']);
  });

  it('that one place gives away is masked in every other, as a whole word and no part of one', async () => {
    const redacted = await responses(
      '{"password":"x9-K!pple","member":"QZ 48 29 13"}',
      '"curl -u bob:x9-K!pple host; not x9-K!pples; QZ482913 and qz 48 29 13, not QZ4829137"',
    );
    expect(redacted[1]).toBe(
      '"curl -u bob:⟦SECRET_1⟧ host; not x9-K!pples; ⟦NATIONAL_ID_1⟧ and ⟦NATIONAL_ID_1⟧, not QZ4829137"',
    );
  });

  it('before the place that gives it away is masked too', async () => {
    expect(await responses('"x9-K!pple"', '{"password":"x9-K!pple"}')).toEqual([
      '"⟦SECRET_1⟧"',
      '{"password":"⟦SECRET_1⟧"}',
    ]);
  });

  it('that is a word of the language is masked where it was found alone', async () => {
    expect(await responses('{"password":"summer","customer_name":"Will"}', '"Will he come in summer?"')).toEqual([
      '{"password":"⟦SECRET_1⟧","customer_name":"⟦PERSON_1⟧"}',
      '"Will he come in summer?"',
    ]);
    expect(await responses('{"customer_name":"Will Young"}', '"Will will young Will Young"')).toEqual([
      '{"customer_name":"⟦PERSON_1⟧"}',
      '"Will ⟦PERSON_1⟧ ⟦PERSON_1⟧"',
    ]);
  });

  it('is of one kind, even where it was found as another', async () => {
    expect(await responses('{"member":"07700 900123"}', '"07700 900123 or 07700900123"')).toEqual([
      '{"member":"⟦PHONE_1⟧"}',
      '"⟦PHONE_1⟧ or ⟦PHONE_1⟧"',
    ]);
  });

  it('keeps its placeholder in other parts of the session, in any order, by any worker', async () => {
    const placeholders = createMemoryPlaceholders();
    const parts = [['"eve@example.com"'], ['"bob@example.com eve@example.com"'], ['"ann@example.com bob@example.com"']];
    const read = async (at: number) => {
      const redactor = redactorOf({ placeholders });
      return responsesOf(
        await redact(
          parts[at]!.map((rawResponse) => ({ rawResponse })),
          redactor,
        ),
      );
    };
    const found = [await read(1), ...(await Promise.all([read(2), read(0)])), await read(1)];
    expect(found).toEqual([
      ['"⟦EMAIL_1⟧ ⟦EMAIL_2⟧"'],
      ['"⟦EMAIL_3⟧ ⟦EMAIL_1⟧"'],
      ['"⟦EMAIL_2⟧"'],
      ['"⟦EMAIL_1⟧ ⟦EMAIL_2⟧"'],
    ]);
  });
});

describe('a name', () => {
  const named = '{"customer_name":"Priya Raghunathan"}';

  it('is masked in any case, and so are its telling parts with a capital', async () => {
    const found = await responses(named, '"PRIYA RAGHUNATHAN rang. Priya: yes. Ms Raghunathan, priya, priya_r"');
    expect(found[1]).toBe('"⟦PERSON_1⟧ rang. ⟦PERSON_1⟧: yes. Ms ⟦PERSON_1⟧, priya, priya_r"');
  });

  it('that two share is a value of its own', async () => {
    const found = await responses(named, '{"customer_name":"Priya Nair"}', '"Priya wrote to Nair"');
    expect(found).toEqual([
      '{"customer_name":"⟦PERSON_1⟧"}',
      '{"customer_name":"⟦PERSON_2⟧"}',
      '"⟦PERSON_3⟧ wrote to ⟦PERSON_2⟧"',
    ]);
  });

  it('found as a part alone is its only bearer', async () => {
    expect(await responses('{"customer_name":"Priya"}', named)).toEqual([
      '{"customer_name":"⟦PERSON_1⟧"}',
      '{"customer_name":"⟦PERSON_1⟧"}',
    ]);
  });

  it('that an e-mail address suggests is a person where it stands whole, and no part of it before', async () => {
    expect(await responses('"tamsin.okafor@example.com"', '"Tamsin Okafor; Tamsin"')).toEqual([
      '"⟦EMAIL_1⟧"',
      '"⟦PERSON_1⟧; ⟦PERSON_1⟧"',
    ]);
    expect((await responses('"tamsin.okafor@example.com"', '"Tamsin"'))[1]).toBe('"Tamsin"');
  });
});

describe('every text of a row', () => {
  it('is redacted: agent, tool, metadata, and columns that hold no number or time', async () => {
    const trajectory = trajectoryOf([
      { agent: 'bob@example.com', tool: 'mail bob@example.com', createdAt: 'by eve@example.com' },
    ]);
    const [turn] = trajectory.turns;
    const rich = {
      ...turn!,
      costUsd: '0.10',
      durationMs: 'ask eve@example.com',
      metadata: { password: 'x9-K!pple', note: null },
    };
    const redacted = (await redactorOf().redact({ ...trajectory, turns: [rich] })).trajectory;
    expect(redacted.agents).toEqual(['⟦EMAIL_1⟧']);
    expect(redacted.turns).toMatchObject([
      {
        agent: '⟦EMAIL_1⟧',
        tool: 'mail ⟦EMAIL_1⟧',
        createdAt: 'by ⟦EMAIL_2⟧',
        costUsd: '0.10',
        durationMs: 'ask ⟦EMAIL_2⟧',
        metadata: { password: '⟦SECRET_1⟧', note: null },
      },
    ]);
  });

  it('is judged by its own column, whatever column holds the same', async () => {
    const [turn] = trajectoryOf([{ tool: 'nine' }]).turns;
    const trajectory = { ...trajectoryOf([{}]), turns: [{ ...turn!, metadata: { password: 'nine' } }] };
    expect((await redactorOf().redact(trajectory)).trajectory.turns).toMatchObject([
      { tool: 'nine', metadata: { password: '⟦SECRET_1⟧' } },
    ]);
  });

  it('keeps the names of rows and sessions, and times', async () => {
    const before = trajectoryOf([{ args: { n: 1 } }]);
    const { trajectory } = await redactorOf().redact(before);
    expect({ ...trajectory, contentHash: 'hash' }).toEqual(before);
  });

  it('is counted by kind, each value as often as it stood there', async () => {
    const { counts } = await redactorOf().redact(
      trajectoryOf([{ response: 'bob@example.com bob@example.com' }, { response: [4111111111111111] }]),
    );
    expect(counts).toEqual({ EMAIL: 2, CARD: 1 });
  });
});

describe('policy', () => {
  it('leaves what is kept, gives what is dropped no number, and is part of the name', async () => {
    const policy = { IP: 'keep', EMAIL: 'drop' } as const;
    const redactor = redactorOf({ policy });
    const rows = [{ response: '10.1.2.3 bob@example.com eve@example.com 07700 900123' }];
    expect(responsesOf(await redact(rows, redactor))).toEqual(['"10.1.2.3 ⟦EMAIL⟧ ⟦EMAIL⟧ ⟦PHONE_1⟧"']);
    expect(redactor.leaks('10.1.2.3')).toEqual([]);
    const names = [{}, { policy }, { names: ['Ana'] }, { key: 'another key of tests' }].map(
      (options) => redactorOf(options).name,
    );
    expect(new Set(names).size).toBe(names.length);
    expect(redactorOf({ policy: { IP: 'mask' } }).name).toBe(redactorOf().name);
    expect(redactorOf().name).toMatch(/^on\/\d+-[0-9a-f]{8}$/);
  });
});

describe('placeholders', () => {
  it('cannot be imitated by a row, nor does a value hide between their brackets', async () => {
    expect(await responses('{"a":"⟦EMAIL_1⟧ \\u27E6x","⟦k⟧":["⟦"],"b":"⟦bob@example.com⟧"}')).toEqual([
      '{"a":"⟪EMAIL_1⟫ ⟪x","⟪k⟫":["⟪"],"b":"⟪⟦EMAIL_1⟧⟫"}',
    ]);
  });

  it('of a trajectory that was redacted before stay when it is redacted again', async () => {
    const options = { placeholders: createMemoryPlaceholders() };
    const once = await redact(
      [{ response: { to: 'bob@example.com', ip: '10.1.2.3' } }, { response: '⟦EMAIL_9⟧' }],
      redactorOf({ ...options, policy: { IP: 'keep' } }),
    );
    const again = (await redactorOf(options).redact(once)).trajectory;
    expect(responsesOf(again)).toEqual(['{"to":"⟦EMAIL_1⟧","ip":"⟦IP_1⟧"}', '"⟪EMAIL_9⟫"']);
    expect((await redactorOf(options).redact(again)).trajectory).toEqual(again);
  });

  it('of another key, or put into a trajectory later, set it aside: nobody knows what they stand for', async () => {
    const once = await redact([{ response: 'bob@example.com' }]);
    const aside = { kind: 'park', code: 'redacted_elsewhere' };
    await expect(redactorOf({ key: 'another key of tests' }).redact(once)).rejects.toMatchObject(aside);
    const forged = { ...once, turns: once.turns.map((turn) => ({ ...turn, tool: '⟦PERSON_1⟧' })) };
    await expect(redactorOf().redact(forged)).rejects.toMatchObject(aside);
  });
});

describe('redaction that fails', () => {
  const secret = 'bob@example.com';
  const park = async (of: Parameters<typeof redactorOf>[0], response: unknown = secret) =>
    await redactOrPark(redactorOf(of), trajectoryOf([{ response }])).then(
      () => expect.unreachable(),
      (error) => error,
    );
  const saidBy = (error: Error): string =>
    `${error.message} ${error.stack} ${error.cause === undefined ? '' : saidBy(error.cause as Error)}`;

  it('parks the trajectory and quotes nothing of its rows', async () => {
    const error = await park({
      detect: (text) => {
        if (!text.includes('bob')) return [];
        throw new TypeError(`cannot read "${text}"\n    at ${text}`);
      },
    });
    expect(error).toMatchObject({ kind: 'park', code: 'redaction_failed' });
    expect(saidBy(error)).not.toContain('bob');
    expect(saidBy(error)).toContain('TypeError');
  });

  it('is one whose result still holds what is certain', async () => {
    // What only shows once something else is gone.
    const detect: typeof detectForms = (text, context) =>
      text.includes('⟦') ? [{ kind: 'JWT', from: 0, to: 1, certain: true }] : detectForms(text, context);
    const error = await park({ detect }, `x ${secret}`);
    expect(error).toMatchObject({ kind: 'park', cause: { message: 'left unredacted: JWT' } });
    expect(saidBy(error)).not.toContain('bob');
  });

  it('is looked for in every text that was changed, also where no detector had found anything', async () => {
    const detect: typeof detectForms = (text, context) =>
      text.endsWith('⟧ called') ? [{ kind: 'JWT', from: 0, to: 1, certain: true }] : detectForms(text, context);
    const rows = [{ response: { customer_name: 'Zed Quimby' } }, { response: 'it was Zed Quimby called' }];
    await expect(redact(rows, redactorOf({ detect }))).rejects.toThrow('left unredacted: JWT');
  });

  it('for want of its store is tried again', async () => {
    const placeholders = createMemoryPlaceholders();
    const { retry } = await import('../../../src/errors.ts');
    placeholders.number = async () => {
      throw retry('calls_unreachable', 'away');
    };
    expect(await park({ placeholders })).toMatchObject({ kind: 'retry', code: 'calls_unreachable' });
  });
});

describe('what a model wrote', () => {
  const redactor = redactorOf();

  it('is searched for what is certain, in plain text and in JSON', () => {
    expect(redactor.leaks('⟦EMAIL_1⟧ wrote to bob@example.com from 10.1.2.3')).toEqual(['EMAIL', 'IP']);
    expect(redactor.leaks('{"q":"bob\\u0040example.com"}')).toEqual(['EMAIL']);
    expect(redactor.leaks('⟦bob@example.com⟧')).toEqual(['EMAIL']);
    expect(redactor.leaks('{"password":"x9-K!pple"} ⟦EMAIL_1⟧ ⟦SECRET⟧')).toEqual([]);
  });

  it('is stored with what was found replaced, placeholders left, JSON still JSON', () => {
    expect(redactor.scrub('{"q":"Ask ⟦EMAIL_1⟧ or bob@example.com","n":4111111111111111}')).toBe(
      '{"q":"Ask ⟦EMAIL_1⟧ or ⟦EMAIL⟧","n":"⟦CARD⟧"}',
    );
    expect(redactor.scrub('4111111111111111')).toBe('⟦CARD⟧');
    expect(redactor.scrub('nothing to see')).toBe('nothing to see');
    expect(noRedaction.scrub('bob@example.com')).toBe('bob@example.com');
  });
});
