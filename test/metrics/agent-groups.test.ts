import { expect, it } from 'vitest';
import { createAgentGroups, knownGroups } from '../../src/metrics/agent-groups.ts';

const mail = { group: 'mail', agents: ['inbox-*', 'drafting'] };
const all = { group: 'all of them', agents: ['*'] };

it.each([
  ['drafting', 'drafting', true],
  ['drafting', 'drafting-2', false],
  ['inbox-*', 'inbox-triage', true],
  ['inbox-*', 'inbox-', true],
  ['inbox-*', 'my inbox-triage', false],
  ['*-eu', 'triage-eu', true],
  ['*-eu', 'triage-eu-2', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['ab*ba', 'aba', false],
  ['*', 'whoever', true],
  ['**', '', false],
  ['a.c', 'abc', false],
  ['(*)[1]', '(x)[1]', true],
  ['two*lines', 'two\nlines', true],
])('%j stands for %j: %s', (pattern, agent, fits) => {
  const groupOf = createAgentGroups([{ group: 'it', agents: [pattern] }]);
  expect(groupOf(agent) === 'it').toBe(fits);
});

it('the first group that fits is the agent’s, and whoever fits none is among the others', () => {
  const groupOf = createAgentGroups([mail, { group: 'late', agents: ['drafting', 'phone'] }]);
  expect(['inbox-triage', 'drafting', 'phone', 'ops'].map(groupOf)).toEqual(['mail', 'mail', 'late', 'other']);
});

it('without groups agents go by their own names, the first fifty of them', () => {
  const groupOf = createAgentGroups([]);
  const names = Array.from({ length: 60 }, (_, index) => `agent ${index}`);
  expect(new Set(names.map(groupOf))).toEqual(new Set([...names.slice(0, 50), 'other']));
  expect(groupOf('agent 0')).toBe('agent 0');
});

it('a name as long as a page is no label, and takes no place', () => {
  const groupOf = createAgentGroups([]);
  for (let nth = 0; nth < 60; nth += 1) expect(groupOf(`${nth}`.padEnd(101, 'x'))).toBe('other');
  expect(groupOf('drafting')).toBe('drafting');
});

it('rows without an agent are of nobody known, whatever groups there are', () => {
  for (const groups of [[], [mail], [all]]) {
    const groupOf = createAgentGroups(groups);
    expect([groupOf(null), groupOf('')]).toEqual(['unknown', 'unknown']);
  }
});

it('a pattern of many pieces takes no time over a name that is made to', () => {
  const groupOf = createAgentGroups([{ group: 'it', agents: ['*a*a*a*a*a*a*b'] }]);
  const from = performance.now();
  expect(groupOf(`${'a'.repeat(200_000)}c`)).toBe('other');
  expect(performance.now() - from).toBeLessThan(1_000);
});

it('which names there can be is known where groups are named', () => {
  expect(knownGroups([mail, { ...mail, agents: ['x'] }])).toEqual(['mail', 'other', 'unknown']);
  expect(knownGroups([])).toEqual([]);
});
