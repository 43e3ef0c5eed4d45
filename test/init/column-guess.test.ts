import { expect, test } from 'vitest';
import { type FoundColumn, guessColumns, likeness } from '../../src/init/column-guess.ts';

const columns = (text: string): FoundColumn[] =>
  text.split(', ').map((column) => {
    const [name = '', type = 'text', key] = column.split(':');
    return { name, type, primaryKey: key === 'key' };
  });

test('the columns of the usual table are found by their names', () => {
  const guess = guessColumns(
    columns(
      'id:bigint:key, session_id, agent, tool, arguments:jsonb, response:jsonb, cost_usd:numeric, duration_ms:integer, created_at:timestamp with time zone',
    ),
  );
  expect(guess).toEqual({
    sessionId: 'session_id',
    key: 'id',
    agent: 'agent',
    tool: 'tool',
    arguments: 'arguments',
    response: 'response',
    cost: 'cost_usd',
    duration: 'duration_ms',
    time: 'created_at',
  });
});

test('other words, capitals and longer names are found too', () => {
  const guess = guessColumns(
    columns(
      'Event-Id:uuid:key, conversationId:uuid, assistantName, toolCallName:character varying(80), toolInput:json, toolOutput:json, total_cost:real, Latency:integer, occurredAt:timestamp without time zone',
    ),
  );
  expect(guess).toEqual({
    sessionId: 'conversationId',
    key: 'Event-Id',
    agent: 'assistantName',
    tool: 'toolCallName',
    arguments: 'toolInput',
    response: 'toolOutput',
    cost: 'total_cost',
    duration: 'Latency',
    time: 'occurredAt',
  });
});

test('a column of another type is not taken for its name, and none is taken twice', () => {
  const guess = guessColumns(columns('id:bigint:key, session:jsonb, time:bigint, cost, action, thread:text'));
  expect(guess).toMatchObject({ sessionId: 'thread', key: 'id', time: null, cost: null, tool: 'action', agent: null });
});

test('the primary key is the key, whatever it is called', () => {
  expect(guessColumns(columns('n:bigint:key, id:text, run_id')).key).toBe('n');
});

test('a table without session looks like a log by its tools, and one with neither does not', () => {
  const noSession = guessColumns(columns('id:bigint:key, tool_name, input:jsonb, output:jsonb'));
  expect(noSession.sessionId).toBeNull();
  expect(likeness(noSession)).toBeGreaterThan(0);
  expect(likeness(guessColumns(columns('id:bigint:key, email, password_hash')))).toBe(0);
  expect(likeness(guessColumns(columns('session_id, tool, payload:bytea')))).toBe(0);
});
