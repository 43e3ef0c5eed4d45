import { describe, expect, it } from 'vitest';
import type { DraftPair, SegmentView } from '../../../src/compile/compiler.ts';
import { runGates } from '../../../src/compile/gates/run.ts';
import { draftOf } from '../../../src/compile/rules/candidate.ts';
import { recompute } from '../../../src/compile/rules/recompute.ts';
import { candidatesOf, createRulesCompiler } from '../../../src/compile/rules/rules.ts';
import { type Line, says, viewOf } from './session.ts';
import { booking, parcels, pump, relay, script, standingOrder } from './worlds.ts';

const worlds = { pump, booking, parcels, relay, script, standingOrder };

async function propose(view: SegmentView) {
  return createRulesCompiler().propose(view, new AbortController().signal);
}

async function draftsOf(lines: readonly Line[]): Promise<DraftPair[]> {
  return (await propose(viewOf(lines))).drafts;
}

function familyOf(draft: DraftPair): string {
  return JSON.parse(draft.raw).family;
}

describe('the rules compiler', () => {
  it('asks what was changed between two readings that differ', async () => {
    const draft = (await draftsOf(pump)).find((one) => familyOf(one) === 'intervention');
    expect(draft?.question).toBe(
      'What was changed between the pump status check that showed the flow rate as 12.50 l/min and the next one, which showed it as 40.25 l/min?',
    );
    expect(draft?.answer).toBe('Filter F-204 was flushed.');
    expect(draft?.supportingTurns).toEqual([1, 4, 6]);
    expect(draft?.qaType).toBe('reasoning');
  });

  it('names the edit that changed what a script prints', async () => {
    const draft = (await draftsOf(script)).find((one) => familyOf(one) === 'intervention');
    expect(draft?.question).toBe(
      'What was changed between the run of `python count_birds.py` that printed "17" and the next one, which printed "18"?',
    );
    expect(draft?.answer).toBe('In count_birds.py, `return len(birds) - 1` was replaced by `return len(birds)`.');
  });

  it('does not ask what was changed where a command that failed may have changed it too', async () => {
    const half = {
      tool: 'bash',
      args: { command: 'rm birds.csv && make' },
      response: { content: 'make: nothing', exit_code: 2 },
    };
    const drafts = await draftsOf([...script.slice(0, 3), half, ...script.slice(3)]);
    expect(drafts.map(familyOf)).not.toContain('intervention');
  });

  it('computes by how much a reading rose', async () => {
    const draft = (await draftsOf(pump)).find((one) => familyOf(one) === 'difference');
    expect(draft?.answer).toBe('27.75 l/min higher (40.25 l/min against 12.50 l/min).');
    expect(draft?.derivation).toMatchObject({ op: 'difference', result: '27.75' });
  });

  it('asks why a call was refused and what was accepted later', async () => {
    const draft = (await draftsOf(booking)).find((one) => familyOf(one) === 'recovery');
    expect(draft?.question).toBe(
      'Why did the first attempt to book the room for R-17 fail, and which day was accepted later?',
    );
    expect(draft?.answer).toBe(
      'It failed with "The room is closed for repairs that week"; day 2026-03-09 was accepted.',
    );
    expect(draft?.supportingTurns).toEqual([1, 4]);
  });

  it('asks which of the things looked up was left alone', async () => {
    const draft = (await draftsOf(parcels)).find((one) => familyOf(one) === 'exclusion');
    expect(draft?.answer).toBe('#P4003.');
    expect(draft?.derivation).toMatchObject({ op: 'exclusion', scope: 'session', result: '#P4003' });
  });

  it('asks by how much an action raised what a listing showed', async () => {
    const draft = (await draftsOf(standingOrder)).find((one) => familyOf(one) === 'difference');
    expect(draft?.question).toBe('By how much was the amount of standing order 4 raised when it was updated?');
    expect(draft?.answer).toBe('By 89.50 (from 840.50 to 930).');
    expect(draft?.supportingTurns).toEqual([2, 4]);
  });

  it('asks what became of a record that an action returned changed', async () => {
    const draft = (await draftsOf(parcels)).find((one) => familyOf(one) === 'before_after');
    expect(draft?.question).toBe(
      'What was the status of parcel #P4001 when it was first looked up, and what was it after the parcel was redirected?',
    );
    expect(draft?.answer).toBe('in transit at first, redirected in the end.');
  });

  it('joins two records by an id that the question does not say', async () => {
    const found = candidatesOf(viewOf(parcels)).filter((one) => one.family === 'bridge');
    expect(found.map((one) => `${one.question} ${one.answer}`)).toEqual([
      'What is the weight in kg of the parcel that was updated? 0.40.',
      'What is the total price of the parcel that was updated? 6.2.',
      'What is the name of the carrier on record for parcel #P4001? Heron Freight.',
      'What is the hotline of the carrier on record for parcel #P4001? 0800-44411.',
    ]);
    const [draft] = (await draftsOf(parcels)).filter((one) => familyOf(one) === 'bridge');
    expect(draft).toMatchObject({ supportingTurns: [2, 7], qaType: 'factoid' });
  });

  it('asks for the task that came after one that it names', async () => {
    const asked = (await draftsOf(relay)).map(({ question, answer }) => [question, answer]);
    expect(asked).toContainEqual([
      'What did lead ask Reader to do right after "Find the opening hours of the reading room."?',
      '"Look at the page of the town library.".',
    ]);
    expect(candidatesOf(viewOf(relay)).map(({ question }) => question)).toContain(
      'After Reader had typed "reading room hours" into a field, what did it type next?',
    );
  });

  it('asks for the first task and the last only where there is little else', async () => {
    const first = 'What was the first task that lead handed to Reader, and what was the last one in the session?';
    expect((await draftsOf(relay)).map(({ question }) => question)).not.toContain(first);
    const repeated = relay.with(2, relay[0]!);
    const silent = repeated.map((line) => (line.agent === 'Reader' ? { ...line, response: 'I am on it.' } : line));
    expect((await draftsOf(silent)).map(({ question }) => question)).toContain(first);
  });

  it('counts only where there is little else to ask', async () => {
    expect(candidatesOf(viewOf(relay)).find((one) => one.family === 'count')?.answer).toBe('3 tasks.');
    expect((await draftsOf(relay)).map(familyOf)).not.toContain('count');
    const repeated = relay.with(2, relay[0]!);
    const silent = repeated.map((line) => (line.agent === 'Reader' ? { ...line, response: 'I am on it.' } : line));
    expect((await draftsOf(silent)).map(familyOf)).toContain('count');
  });

  it('asks for what redaction replaced only where there is little else', async () => {
    const redacted = parcels.map((line) => JSON.parse(JSON.stringify(line).replaceAll('0.40', '⟦CARD_1⟧')));
    const view = viewOf(redacted);
    const isPlaceholder = ({ answer }: { answer: string }) => answer === '⟦CARD_1⟧.';
    const found = candidatesOf(view).find(isPlaceholder);
    expect(runGates([draftOf(found!)!], view, { recompute }).refused).toEqual([]);
    expect((await draftsOf(parcels)).map(({ answer }) => answer)).toContain('0.40.');
    expect((await draftsOf(redacted)).map(({ answer }) => answer)).toContain('6.2.');
    expect((await draftsOf(redacted)).filter(isPlaceholder)).toEqual([]);
  });

  it.each(Object.keys(worlds) as (keyof typeof worlds)[])(
    'proposes for %s only what the gates let pass',
    async (name) => {
      const view = viewOf(worlds[name]);
      const { drafts } = await propose(view);
      const gates = runGates(drafts, view, { recompute });
      expect(drafts.length).toBeGreaterThan(0);
      expect(gates.refused).toEqual([]);
      expect(gates.passed.map((one) => one.held)).toEqual(drafts.map(() => null));
    },
  );

  it('asks at most five questions, two of a kind, and says its version', async () => {
    const { drafts } = await propose(viewOf([...pump, ...booking, ...parcels, ...relay, ...script]));
    const kinds = drafts.map((draft) => draft.qaType);
    expect(drafts.length).toBeLessThanOrEqual(5);
    for (const kind of kinds) expect(kinds.filter((one) => one === kind).length).toBeLessThanOrEqual(2);
    expect(createRulesCompiler({ redaction: 'strict' }).version).toMatchObject({ kind: 'rules', redaction: 'strict' });
  });

  it('does not ask for what an earlier question has told', async () => {
    const drafts = await draftsOf(script);
    const told = candidatesOf(viewOf(script)).filter((one) => one.family === 'before_after');
    expect(told.map((one) => one.answer)).toContain('The first time "17", the second time "18".');
    expect(drafts.map(familyOf)).toContain('intervention');
    expect(drafts.map(familyOf)).not.toContain('before_after');
  });

  it('asks fewer where fewer are wanted', async () => {
    const compiler = createRulesCompiler({ maxPairs: 1 });
    const { drafts } = await compiler.propose(viewOf(pump), new AbortController().signal);
    expect(drafts).toHaveLength(1);
  });

  it('gives a session without structure no questions, and says so', async () => {
    const chat = [
      says('user', 'Hello'),
      says('assistant', 'Hello, what is it about?'),
      says('user', 'Nothing, thanks'),
    ];
    expect(await propose(viewOf(chat))).toEqual({ drafts: [], calls: [], malformed: [], emptyReason: 'no_structure' });
  });
});
