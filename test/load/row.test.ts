import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/load/row.ts';

const parse = (text: string, metadata: string[] = []) => parseLine(7, Buffer.from(text), metadata);
const minimal = '"session_id":"s-1","created_at":"2026-01-05T08:26:59.153001Z"';

describe('parseLine', () => {
  it('keeps the text of arguments, response and amounts', () => {
    const line = `{${minimal},"agent":"todos","tool":"add","arguments":{"n": 9007199254740993},"response":"a\\nb","cost_usd":0.10,"duration_ms":12}`;
    expect(parse(line)).toEqual({
      ok: true,
      row: {
        line: 7,
        at: 1767601619153001,
        bytes: line.length,
        sessionId: 's-1',
        agent: 'todos',
        tool: 'add',
        arguments: '{"n": 9007199254740993}',
        response: '"a\\nb"',
        costUsd: '0.10',
        durationMs: '12',
        createdAt: '2026-01-05T08:26:59.153001Z',
      },
    });
  });

  it('takes what is missing or null as no value, amounts as text too', () => {
    expect(parse(`{${minimal},"arguments":null,"cost_usd":"0.000100"}`)).toMatchObject({
      ok: true,
      row: { agent: null, tool: null, arguments: null, response: null, costUsd: '0.000100', durationMs: null },
    });
  });

  it('carries the keys that the mapping lists, and ignores the others', () => {
    expect(parse(`{${minimal},"source":"x","more":[1.0]}`, ['more', 'absent'])).toMatchObject({
      row: { metadata: { more: '[1.0]', absent: null } },
    });
    expect(parse(`{${minimal},"source":"x"}`)).not.toHaveProperty('row.metadata');
  });

  it('passes blank lines over', () => {
    expect(parse('')).toBeNull();
    expect(parse(' \r')).toBeNull();
  });

  it.each([
    ['{"session_id":', 'is not JSON'],
    ['[1]', 'is not a JSON object'],
    ['"text"', 'is not a JSON object'],
    ['{"created_at":"2026-01-05T08:26:59Z"}', /^session_id: /],
    ['{"session_id":null,"created_at":"2026-01-05T08:26:59Z"}', /^session_id: /],
    ['{"session_id":"","created_at":"2026-01-05T08:26:59Z"}', /^session_id: /],
    [
      '{"session_id":"s\\u0000","created_at":"2026-01-05T08:26:59Z"}',
      'session_id: holds a NUL character, which Postgres can not store',
    ],
    ['{"session_id":"\\ud800","created_at":"2026-01-05T08:26:59Z"}', /^session_id: holds half/],
    ['{"session_id":"s"}', /^created_at: /],
    ['{"session_id":"s","created_at":"yesterday"}', /^created_at: must be a time/],
    ['{"session_id":"s","created_at":"infinity"}', /^created_at: must be a time/],
    [`{${minimal},"cost_usd":"much"}`, 'cost_usd: must be a number, as such or as text'],
    [`{${minimal},"cost_usd":1e999}`, /^cost_usd: /],
    [`{${minimal},"tool":5}`, /^tool: /],
  ])('says what is wrong with %s', (line, problem) => {
    expect(parse(line)).toEqual({ ok: false, problem: expect.stringMatching(problem) });
  });

  it('refuses bytes that are no UTF-8 instead of replacing them', () => {
    const bytes = Buffer.concat([Buffer.from(`{${minimal},"agent":"`), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(parseLine(1, bytes)).toEqual({ ok: false, problem: 'is not UTF-8' });
  });

  it('never repeats the content of a bad line', () => {
    for (const line of [
      '{"session_id":"hush","created_at":"hush"}',
      '{"session_id":"hush',
      `{${minimal},"agent":{"k":"hush"}}`,
    ])
      expect(JSON.stringify(parse(line))).not.toContain('hush');
  });
});
