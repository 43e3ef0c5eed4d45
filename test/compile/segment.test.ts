import { describe, expect, it } from 'vitest';
import { createView, segmentTrajectory } from '../../src/compile/segment.ts';
import { parcelRows, type Row, trajectoryOf } from '../support/trajectories.ts';

const textOf = (row: Row) => createView(trajectoryOf([row])).turns[0]!.text;

describe('the rendering of a turn', () => {
  it('shows agent and tool, arguments as lines, the response decoded', () => {
    const row = {
      agent: 'clerk',
      tool: 'find',
      args: { query: 'a "b"', tags: ['x', 'y'] },
      response: { hits: [{ id: 1 }], note: 'first\nsecond' },
    };
    expect(textOf(row)).toBe(
      'clerk find\nquery: a "b"\ntags:\n  - x\n  - y\nresponse:\nhits:\n  - id: 1\nnote:\nfirst\nsecond',
    );
  });

  it('keeps numbers as they were written', () => {
    const row = { rawArgs: '{"id":9007199254740993}', rawResponse: '{"price":1.10,"rate":1e2,"text":"1.10 \\"9\\""}' };
    const { text, turns } = { text: textOf(row), turns: createView(trajectoryOf([row])).turns };
    expect(text).toContain('id: 9007199254740993');
    expect(text).toContain('price: 1.10\nrate: 1e2\ntext: 1.10 "9"');
    expect(turns[0]!.response).toEqual({ price: '1.10', rate: '1e2', text: '1.10 "9"' });
  });

  it('shows text that is no JSON as it stands', () => {
    expect(textOf({ args: undefined, rawResponse: '{broken' })).toBe('clerk note\nresponse:\n{broken');
  });

  it('has no lone surrogate, whatever the row holds', () => {
    const text = textOf({ agent: '\ud83d', rawArgs: '{"a":"\\ud83d"}', rawResponse: '"x\\udc00y"' });
    expect(text.isWellFormed()).toBe(true);
  });

  it('survives nesting that nobody wrote by hand', () => {
    const nested = (depth: number) => ({ rawResponse: `${'['.repeat(depth)}1${']'.repeat(depth)}` });
    expect(textOf(nested(100))).toContain('[…]');
    expect(textOf(nested(100_000))).toContain('[…]');
    expect(textOf({ rawResponse: `[1.10,${nested(20_000).rawResponse}]` })).toContain('1.10');
  });

  it('survives a response of 30 MB', () => {
    const rawResponse = `{"price":1.10,"log":"${'line \\n \\"quoted\\" '.repeat(2_000_000)}"}`;
    expect(rawResponse.length).toBeGreaterThan(30_000_000);
    // Not toContain: a failure would print all of it.
    expect(textOf({ rawResponse }).includes('price: 1.10\nlog:\nline')).toBe(true);
  });

  it('does not let a row name the prototype', () => {
    expect(textOf({ rawResponse: '{"__proto__":{"polluted":true}}' })).toContain('polluted: true');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('takes no evidence from thoughts and empty rows', () => {
    const rows: Row[] = [
      { tool: 'message.thought', response: 'I wonder' },
      { tool: 'think', args: { text: 'so' } },
      { tool: 'ping', args: {}, response: '' },
      { tool: 'rethink_price', args: { id: 4 } },
    ];
    const { turns } = createView(trajectoryOf(rows));
    expect(turns.map(({ bearsEvidence }) => bearsEvidence)).toEqual([false, false, false, true]);
  });
});

describe('segments', () => {
  it('of a trajectory that fits are one, shown whole', () => {
    const views = segmentTrajectory(trajectoryOf(parcelRows), { windowTokens: 24_000 });
    expect(views).toHaveLength(1);
    expect(views[0]!.segment).toMatchObject({ firstTurn: 0, lastTurn: 8, shareSeen: 1 });
    expect(views[0]!.turns.every(({ clipped }) => !clipped)).toBe(true);
  });

  it('are known again by their text, in whichever trajectory it stands', () => {
    const one = createView(trajectoryOf(parcelRows, { id: 'a' })).segment;
    const two = createView(trajectoryOf(parcelRows, { id: 'b' })).segment;
    const changed = createView(trajectoryOf([...parcelRows.slice(0, 8), { ...parcelRows[8], response: {} }])).segment;
    expect(two.fingerprint).toBe(one.fingerprint);
    expect(two.id).not.toBe(one.id);
    expect(changed.fingerprint).not.toBe(one.fingerprint);
  });

  it('do not mistake text that moved from one field to the next for the same text', () => {
    const a = createView(trajectoryOf([{ agent: 'ab', tool: 'c' }])).segment.fingerprint;
    const b = createView(trajectoryOf([{ agent: 'a', tool: 'bc' }])).segment.fingerprint;
    expect(a).not.toBe(b);
  });

  const page = 'a line of the page\n'.repeat(300);

  it('show a long response once before anything is cut', () => {
    const rows = Array.from({ length: 10 }, (_, n): Row => ({ args: { n }, response: page }));
    const [view, ...more] = segmentTrajectory(trajectoryOf(rows), { windowTokens: 3_000 });
    expect(more).toEqual([]);
    expect(view!.turns[0]).toMatchObject({ clipped: false });
    expect(view!.turns[9]).toMatchObject({ clipped: true });
    expect(view!.turns[9]!.text).toContain('n: 9\nresponse:\n[… same response as #000 …]');
    expect(view!.segment.shareSeen).toBeLessThan(0.2);
  });

  it('cut long responses at line borders and never arguments', () => {
    const long = 'an argument '.repeat(400);
    const rows: Row[] = [
      { args: { long }, response: `head\n${page}tail` },
      { args: { n: 1 }, response: 'short' },
    ];
    const [view] = segmentTrajectory(trajectoryOf(rows), { windowTokens: 2_000, maxResponseTokens: 200 });
    const [first, second] = view!.turns;
    expect(first!.clipped).toBe(true);
    expect(first!.text).toContain(long);
    expect(first!.text).toMatch(/page\n\[… \d+ characters left out …\]\na line/);
    expect(first!.text.endsWith('tail')).toBe(true);
    expect(second!.clipped).toBe(false);
    expect(view!.segment.shareSeen).toBeLessThan(1);
  });

  it('are windows of about equal size where even that is too much, each turn in one of them', () => {
    const rows = Array.from({ length: 50 }, (_, n): Row => ({ args: { n }, response: `${'word '.repeat(200)}${n}` }));
    const views = segmentTrajectory(trajectoryOf(rows), { windowTokens: 4_000 });
    const indexes = views.flatMap(({ turns }) => turns.map(({ index }) => index));
    expect(indexes).toEqual(rows.map((_, n) => n));
    const sizes = views.map(({ turns }) => turns.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(3);
    for (const { segment, turns } of views) expect(turns.at(-1)!.index).toBe(segment.lastTurn);
  });

  it('never point at a response in a window that the model is not sent', () => {
    const rows = Array.from({ length: 60 }, (_, n): Row => ({ args: { n, text: 'w'.repeat(900) }, response: page }));
    const views = segmentTrajectory(trajectoryOf(rows), { windowTokens: 4_000 });
    expect(views.length).toBeGreaterThan(1);
    for (const { turns } of views) for (const { text } of turns) expect(text).not.toContain('same response');
  });

  it('are whole for rules, however long', () => {
    const rows = Array.from({ length: 60 }, (_, n): Row => ({ args: { n }, response: page }));
    expect(segmentTrajectory(trajectoryOf(rows), { windowTokens: null })[0]!.segment).toMatchObject({
      lastTurn: 59,
      shareSeen: 1,
    });
  });

  it('carry numbers about what there is to ask', () => {
    const rows: Row[] = [...parcelRows, { tool: 'send', args: { to: 'lead' }, response: { error: 'refused' } }];
    expect(createView(trajectoryOf(rows)).segment.metrics).toMatchObject({
      turns: 10,
      tools: 9,
      errors: 1,
      changed_answers: 1,
      seconds: 9,
    });
  });
});
