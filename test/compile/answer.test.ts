import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAnswer, wireSchema } from '../../src/compile/answer.ts';

const pair = {
  evidence: [
    { turn: 0, quote: 'parcel: PX-4417' },
    { turn: 3, quote: 'depot: harbour_depot' },
  ],
  question: 'Which depot holds the parcel of complaint C-71?',
  answer: 'harbour_depot',
  qa_type: 'factoid',
};
const text = JSON.stringify({ pairs: [pair] });
const read = (answer: string) => readAnswer(answer, 5);

describe('a model’s answer', () => {
  it.each([
    ['as asked', text, 'json'],
    ['with a byte order mark', `\uFEFF${text}`, 'unwrapped'],
    ['fenced', `\`\`\`json\n${text}\n\`\`\``, 'unwrapped'],
    ['after thoughts', `<think>a {"pairs": maybe}</think>\n${text}`, 'unwrapped'],
    ['as a bare list', JSON.stringify([pair]), 'json'],
    ['within prose', `Here is {the} JSON:\n${text}\nI hope it helps.`, 'extracted'],
    ['in prose and a fence', `Sure!\n\`\`\`json\n${text}\n\`\`\`\nDone.`, 'extracted'],
  ])('is read %s', (_how, answer, mode) => {
    const { drafts, malformed, emptyReason, parseMode } = read(answer);
    expect(drafts).toHaveLength(1);
    expect(drafts[0]).toMatchObject({ question: pair.question, qaType: 'factoid', supportingTurns: [0, 3] });
    expect({ malformed, emptyReason, parseMode }).toEqual({ malformed: [], emptyReason: null, parseMode: mode });
  });

  it.each([
    ['nothing', '', 'empty'],
    ['white space', ' \n', 'empty'],
    ['prose', 'I could not find any questions to ask.', 'unparsable'],
    ['cut JSON', text.slice(0, -20), 'unparsable'],
    ['another object', '{"error":"no"}', 'unparsable'],
    ['a number', '42', 'unparsable'],
    ['pairs that are no list', '{"pairs":{"0":{}}}', 'unparsable'],
    ['brackets without end', '['.repeat(150_000), 'unparsable'],
    ['too much of it', `{"pairs":[],"x":"${'a'.repeat(250_000)}"}`, 'unparsable'],
    ['an empty list', '{"pairs":[]}', 'no_structure'],
  ])('of %s gives no pair and says why', (_what, answer, reason) => {
    const { drafts, emptyReason, malformed } = read(answer);
    expect(drafts).toEqual([]);
    expect(emptyReason).toBe(reason);
    if (reason === 'unparsable') expect(malformed).toHaveLength(1);
  });

  it('keeps good pairs and counts each bad one', () => {
    const bad = [
      {},
      null,
      'text',
      { ...pair, qa_type: 'riddle' },
      { ...pair, evidence: [{ turn: '0', quote: 'x' }] },
      [],
    ];
    const { drafts, malformed } = read(JSON.stringify({ pairs: [...bad, pair] }));
    expect(drafts).toHaveLength(1);
    expect(malformed).toHaveLength(bad.length);
    expect(malformed[3]?.detail).toContain('qa_type');
  });

  it('counts pairs beyond those that were asked for', () => {
    const { drafts, malformed } = read(JSON.stringify({ pairs: Array(8).fill(pair) }));
    expect([drafts.length, malformed.length]).toEqual([5, 3]);
  });

  it('that names the prototype changes nothing', () => {
    const hostile = `{"__proto__":{"polluted":1},"pairs":[{"__proto__":{"polluted":1},"constructor":1}]}`;
    expect(read(hostile).malformed).toHaveLength(1);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('that nests without end is one malformed pair', () => {
    const deep = `{"pairs":[{"evidence":${'['.repeat(50_000)}${']'.repeat(50_000)}}]}`;
    const { drafts, malformed } = read(deep);
    expect([drafts.length, malformed.length]).toEqual([0, 1]);
  });

  it('never throws, and what it rejects it keeps as JSON text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.array(fc.json()).map((list) => `{"pairs":[${list}]}`),
        ),
        (answer) => {
          for (const { raw } of read(answer).malformed) JSON.parse(raw);
        },
      ),
    );
  });

  it('says for counts and exclusions that the session was looked at', () => {
    const derivation = { op: 'count', operands: [], select_tool: 'weigh_parcel', result: '2' };
    const { drafts } = read(JSON.stringify({ pairs: [{ ...pair, derivation }] }));
    expect(drafts[0]?.derivation).toEqual({
      op: 'count',
      operands: [],
      scope: 'session',
      result: '2',
      params: { tool: 'weigh_parcel' },
    });
  });
});

describe('the schema that is sent', () => {
  const allowed = new Set(
    '$id $defs $ref $anchor type format title description enum items prefixItems minItems maxItems minimum maximum anyOf oneOf properties additionalProperties required propertyOrdering'.split(
      ' ',
    ),
  );

  function* nodes(node: unknown): Generator<Record<string, unknown>> {
    if (typeof node !== 'object' || node === null) return;
    yield node as Record<string, unknown>;
    const { properties = {}, items, anyOf = [] } = node as Record<string, unknown>;
    for (const child of [...Object.values(properties as object), items, ...(anyOf as unknown[])]) yield* nodes(child);
  }

  it('has no keyword that the provider does not know, and no bounds', () => {
    for (const node of nodes(wireSchema)) {
      for (const key of Object.keys(node)) expect(allowed).toContain(key);
      expect(node).not.toHaveProperty('minimum');
      expect(node).not.toHaveProperty('maximum');
    }
  });

  it('asks for evidence before the question, and for the question before the answer', () => {
    const [, , pairNode] = [...nodes(wireSchema)];
    expect(pairNode?.propertyOrdering).toEqual(['evidence', 'question', 'answer', 'qa_type', 'derivation']);
    expect(pairNode?.required).toEqual(['evidence', 'question', 'answer', 'qa_type']);
  });
});
