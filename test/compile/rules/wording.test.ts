import { describe, expect, it } from 'vitest';
import { recompute } from '../../../src/compile/rules/recompute.ts';
import { candidatesOf, createRulesCompiler } from '../../../src/compile/rules/rules.ts';
import { type Line, says, viewOf } from './session.ts';
import { parcels, pump, relay } from './worlds.ts';

const gap = says('user', 'and now?');

function pairs(lines: readonly Line[], family?: string): string[] {
  return candidatesOf(viewOf(lines))
    .filter((one) => family === undefined || one.family === family)
    .map((one) => `${one.question} ${one.answer}`);
}

function questions(lines: readonly Line[]): string[] {
  return candidatesOf(viewOf(lines)).map((one) => one.question);
}

const shelf = (response: unknown): Line => ({ tool: 'scan_shelf', args: { shelf: 'S-12' }, response });

describe('how a question speaks of what a check showed', () => {
  it('says a key in words, with its unit behind the value', () => {
    const change: Line = { tool: 'update_shelf', args: { shelf: 'S-12' }, response: 'Done.' };
    expect(pairs([shelf({ max_load_kg: 20 }), change, shelf({ max_load_kg: 35 })], 'intervention')).toEqual([
      'What was changed between the shelf scan for S-12 that showed the max load as 20 kg and the next one, which showed it as 35 kg? Shelf S-12 was updated.',
    ]);
  });

  it('counts what is many, or in a state, and does not call it a value', () => {
    const seen = (n: number) => shelf({ open: n });
    const warned = (n: number) => shelf({ label_warnings: n });
    expect(questions([seen(4), gap, seen(2)])).toContain(
      'How many did the first shelf scan for S-12 show as open, and how many did the second one?',
    );
    expect(questions([warned(4), gap, warned(2)])).toContain(
      'How many label warnings did the first shelf scan for S-12 show, and how many did the second one show?',
    );
  });

  it('says which of the values of a record is meant, also where it is the status', () => {
    const seen = (status: string) => shelf({ status, row: 'B' });
    expect(questions([seen('full'), gap, seen('empty')])).toContain(
      'What did the first shelf scan for S-12 show as the status, and what did the second one show?',
    );
  });

  it('tells the last check before an action from the first one after it', () => {
    expect(questions(pump)).toContain(
      'What did the last pressure measurement before the filter was flushed show as the pressure reading, and what did the first one after it show?'.replace(
        ' as the pressure reading',
        '',
      ),
    );
  });

  it('tells which values had changed only where it can tell all of them, phrases in quotation marks', () => {
    const seen = (row: string, owner: string, note?: string) => shelf({ row, owner, ...(note && { note }) });
    const question = 'Which values had changed from the first shelf scan for S-12 to the second one?';
    expect(pairs([seen('B', 'Ada Quill'), gap, seen('C', 'Tom Reed')])).toContain(
      `${question} row went from B to C and owner went from "Ada Quill" to "Tom Reed".`,
    );
    expect(questions([seen('B', 'Ada Quill'), gap, seen('C', 'Tom Reed', 'moved')])).not.toContain(question);
    const long = 'x'.repeat(130);
    expect(questions([seen('B', 'Ada', long), gap, seen('C', 'Tom', long)])).toContain(question);
    expect(questions([seen('B', 'Ada', long), gap, seen('C', 'Tom', `${long}y`)])).not.toContain(question);
    const text = (row: string, rest: string) => shelf(`Row: ${row}\nOwner: ${rest}\nHeight: ${row}2`);
    expect(questions([text('B', long), gap, text('C', `${long}y`)])).not.toContain(question);
  });

  it('reads no values out of prose', () => {
    const leaflet = (what: string): Line => ({
      tool: 'read_leaflet',
      response: `Dear neighbours,\nthe shop opens again on Monday.\nThe new kettles are ${what}.\nDo come by,\nand bring your friends.`,
    });
    expect(pairs([leaflet('here'), gap, leaflet('sold out')])).toEqual([]);
    const shout = (what: string): Line => ({ tool: 'read_sign', response: `The door is ${what}!\nSigned: us` });
    expect(questions([shout('open'), gap, shout('shut')]).join()).not.toContain('door');
  });
});

describe('how an answer tells what was done', () => {
  const between = (...acts: Line[]) => pairs([shelf({ load: 1 }), ...acts, shelf({ load: 2 })], 'intervention');
  const act = (tool: string, args: unknown): Line => ({ tool, args, response: 'ok' });

  it.each([
    ['label_crate', { crate: 'C-1', label: 'to-sell' }, 'Crate C-1 was labelled to-sell.'],
    ['set_power_saving', { power_saving: 'off', lamp: 'L-1' }, 'Power saving was set to off (lamp L-1).'],
    ['set_workers', { mill: 'M-1', worker_count: 4 }, 'The workers were set to 4 (mill M-1).'],
    ['update_score', { score: 7, crate: 'C-1' }, 'The score was updated to 7 (crate C-1).'],
    ['add_note', { title: 'call the mill', day: 'Friday' }, 'A note was added (title "call the mill", day Friday).'],
    ['remove_item', { item: 'spare key', box: 'B-1' }, 'The item "spare key" was removed (box B-1).'],
    ['refill_oil', { gb_amount: 2, tank: 'T-1' }, 'The oil was refilled (amount 2 GB, tank T-1).'],
    [
      'schedule_visit',
      { day: 'Friday', hour: '9', site: 'ST-1001' },
      'A visit was scheduled (day Friday, site ST-1001).',
    ],
    ['comment_ticket', { ticket: 'T-9', text: 'soon' }, 'Ticket T-9 was commented on (text soon).'],
  ])('%s', (tool, args, told) => {
    const [pair] = tool === 'refill_oil' ? between(act('refuel_oil', args)) : between(act(tool, args));
    expect(pair).toContain(tool === 'refill_oil' ? told.replace('refilled', 'refuelled') : told);
  });

  it('two changes at most: of a longer list, nobody knows which one it was', () => {
    const step = (n: number) => act(`update_${'abc'[n]}bin`, { bin: `B-${n}` });
    expect(between(step(0), step(1))[0]).toMatch(/^Which two changes were made, in order, between the shelf scan/);
    expect(between(step(0), step(1), step(2))).toEqual([]);
  });

  it('nothing of which a part was done to another thing than the one that was looked at', () => {
    expect(between(act('update_shelf', { shelf: 'S-12' }), act('lock_bin', { bin: 'B-1' }))).toHaveLength(1);
    expect(between(act('update_shelf', { shelf: 'S-12' }), act('lock_shelf', { shelf: 'S-99' }))).toEqual([]);
  });

  it('not at all, where the same two values stand round another change, though that is asked by others', () => {
    const seen = (a: string, b: string) => shelf({ row: a, owner: b });
    const [one, two] = [act('update_bin', { bin: 'B-1' }), act('lock_bin', { bin: 'B-2' })];
    const swing = [seen('blue', 'x'), one, seen('green', 'x'), act('update_bin', { bin: 'B-3' }), seen('blue', 'x')];
    const again = [two, seen('green', 'somebody else entirely')];
    expect(pairs(swing, 'intervention').join()).toContain('as blue and the next one, which showed it as green');
    expect(pairs([...swing, ...again], 'intervention').join()).not.toContain('as blue and the next one');
  });

  it('is not asked again the other way round', async () => {
    const belt = (state: string): Line => ({ tool: 'check_belt', response: `Belt Guard: ${state}` });
    const lines = [belt('jammed shut'), act('reset_motor', { motor: 'M-1' }), gap, belt('wide open')];
    const { drafts } = await createRulesCompiler().propose(viewOf(lines), new AbortController().signal);
    expect(questions(lines).join()).toContain('before the motor was reset');
    const asked = drafts.map((draft) => draft.question).join();
    expect(asked).toContain('What was changed between');
    expect(asked).not.toContain('before the motor was reset');
  });
});

describe('what is asked of things that were acted on', () => {
  const question = 'What is the weight in kg of the parcel that was updated?';

  it('an action that was done once needs no details, and the derivation holds it to that', () => {
    const candidate = candidatesOf(viewOf(parcels)).find((one) => one.question === question);
    expect(recompute(candidate!.derivation, viewOf(parcels))).toBe('0.40');
    const again: Line = { tool: 'update_parcel', args: { parcel_id: '#P4003', note: 'ring twice' }, response: 'ok' };
    expect(questions([...parcels, again])).not.toContain(question);
    expect(recompute(candidate!.derivation, viewOf([...parcels, again]))).toBeNull();
    expect(questions([...parcels, again])).toContain(
      'What is the weight in kg of the parcel that was updated with note "leave at the door"?',
    );
  });

  it('no detail that two of the actions have in common', () => {
    const note = (id: string, text: string): Line => ({
      tool: 'update_parcel',
      args: { parcel_id: id, note: text },
      response: 'ok',
    });
    const lines = [...parcels, note('#P4003', 'leave at the door')];
    expect(questions(lines).join()).not.toContain('that was updated');
  });

  it('not the one thing in a list, for which nothing was done by itself', () => {
    const shed = (id: string, price: string): Line => ({
      tool: 'get_item',
      args: { item_id: id },
      response: { item_id: id, price },
    });
    const send: Line = { tool: 'return_order', args: { order_id: '#Q1', item_ids: ['IT-1'] }, response: 'ok' };
    expect(pairs([shed('IT-1', '12.50'), shed('IT-2', '8.10'), gap, send], 'bridge')).toEqual([]);
    const one: Line = { ...send, args: { order_id: '#Q1', item_id: 'IT-1' } };
    expect(pairs([shed('IT-1', '12.50'), shed('IT-2', '8.10'), gap, one], 'bridge')).toHaveLength(1);
  });

  it('attributes that have a name in English', () => {
    const door = (id: string, n: number): Line => ({
      tool: 'get_door',
      args: { door_id: id },
      response: {
        door_id: id,
        on_call: `Ada ${n}`,
        last_paint_date: `2026-01-0${n}`,
        minutes_used: n * 100,
        width: n + 80,
      },
    });
    const lock: Line = { tool: 'lock_door', args: { door_id: 'D-101' }, response: 'ok' };
    expect(pairs([door('D-101', 1), door('D-102', 2), gap, lock], 'bridge')).toEqual([
      'What is the width of the door that was locked? 81.',
    ]);
  });

  it('nothing that two turns in a row tell', async () => {
    const again: Line = { tool: 'weigh_parcel', response: 'Scale reads 0.40 kg' };
    const asked = async (lines: Line[]) => {
      const { drafts } = await createRulesCompiler().propose(viewOf(lines), new AbortController().signal);
      return drafts.map((draft) => draft.question);
    };
    expect(await asked(parcels)).toContain(question);
    const at = parcels.findIndex((line) => line.tool === 'update_parcel');
    expect(await asked(parcels.toSpliced(at + 1, 0, again))).not.toContain(question);
  });

  it('nothing that a message tells whole', () => {
    const told = says('assistant', 'I have updated your parcel of 0.40 kg.');
    expect(questions([...parcels, gap, told])).not.toContain(question);
  });

  it('what a thing was that an action gave a part to play', () => {
    const catalogue: Line = {
      tool: 'get_catalogue',
      response: { lamps: { a: { item_id: 'IT-771', price: '12.50' }, b: { item_id: 'IT-772', price: '9.10' } } },
    };
    const swap: Line = {
      tool: 'exchange_lamp',
      args: { order_id: '#Q7001', new_item_ids: ['IT-772'] },
      response: 'Exchanged.',
    };
    expect(pairs([catalogue, gap, swap], 'bridge')).toEqual([
      'When the lamp was exchanged (order #Q7001), what was the price of the new item? 9.10.',
    ]);
  });

  it('a thing inside another one is not called by the other one', () => {
    const user = {
      user_id: 'mo_77001',
      cards: { card_501: { id: 'card_501', colour: 'red' }, card_502: { id: 'card_502', colour: 'blue' } },
    };
    const lookup: Line = { tool: 'get_user', args: { user_id: 'mo_77001' }, response: user };
    const block: Line = { tool: 'block_card', args: { card_id: 'card_502' }, response: 'Blocked.' };
    expect(pairs([lookup, gap, block], 'bridge')).toEqual(['What is the colour of the card that was blocked? blue.']);
  });

  it('no "left alone" for what an action was tried on', () => {
    const failed: Line = {
      tool: 'redirect_parcel',
      args: { parcel_id: '#P4003' },
      response: { error: true, content: 'Error: too late' },
    };
    expect(pairs(parcels, 'exclusion')).toHaveLength(1);
    expect(pairs([...parcels, failed], 'exclusion')).toEqual([]);
  });

  it('what a value was set to, unless it was set twice', () => {
    const seen: Line = { tool: 'get_crate', response: { crate_id: 'CR-100', row: 'B' } };
    const set = (row: string): Line => ({ tool: 'move_crate', args: { crate_id: 'CR-100', row }, response: 'ok' });
    const asked = 'What was the row of crate CR-100 before it was moved, and what was it set to?';
    expect(questions([seen, gap, set('C')])).toContain(asked);
    expect(questions([seen, gap, set('C'), gap, set('D')])).not.toContain(asked);
  });
});

describe('what was not done', () => {
  const level = (value: string): Line => ({ tool: 'measure_level', response: `Tank Level: ${value} %` });
  const set = (tool: string, response: string): Line => ({ tool, args: { tank: 'T-1' }, response });

  it('is no change, though it was asked for', () => {
    const flush = set('flush_tank', 'Tank flushed.');
    const enabled = set('enable_drain', 'Drain was already enabled');
    expect(pairs([level('10'), enabled, flush, level('90')], 'intervention')[0]).toContain('Tank T-1 was flushed.');
    expect(pairs([level('10'), enabled, level('90')], 'intervention')).toEqual([]);
  });

  it('is told apart from what another tool switched: neither is then "the one that was enabled"', () => {
    const act = (tool: string) => set(tool, 'Done.');
    const acts = [act('lock_tank'), gap, act('enable_drain'), gap, act('rename_tank')];
    expect(pairs(acts, 'order')).toHaveLength(1);
    expect(pairs([...acts, gap, act('toggle_drain')], 'order').join()).not.toContain('drain');
    const checked = [level('10'), act('enable_drain'), gap, level('90')];
    expect(questions(checked).join()).toContain('before the drain was enabled');
    expect(questions([...checked, act('toggle_drain')]).join()).not.toContain('before the drain was enabled');
  });
});

describe('what is asked of attempts and counts', () => {
  const book = (args: object, fails: boolean): Line => ({
    tool: 'book_boat',
    args,
    response: fails ? { error: true, content: 'Error: pier 4 is closed' } : { done: true },
  });

  it('the first attempt is the one that failed, or nothing is asked', () => {
    const tries = [book({ pier: '4' }, true), gap, book({ pier: '6' }, false)];
    expect(pairs(tries, 'recovery')).toEqual([
      'Why did the first attempt to book the boat fail, and which pier was accepted later? It failed with "pier 4 is closed"; pier 6 was accepted.',
    ]);
    expect(pairs([book({ pier: '2' }, false), ...tries], 'recovery')).toEqual([]);
  });

  it('the argument that the refusal names is the one that is asked for, and never one of a list', () => {
    const tries = [book({ crew: 'Ada', pier: '4' }, true), gap, book({ crew: 'Tom', pier: '6' }, false)];
    expect(pairs(tries, 'recovery')[0]).toContain('which pier was accepted later');
    const lists = [book({ crew: ['Ada', 'Ben'] }, true), gap, book({ crew: ['Tom', 'Ben'] }, false)];
    expect(pairs(lists, 'recovery')).toEqual([]);
  });

  it('attempts that failed are named by what they tried, where the name of the tool says it', () => {
    const fails = (tool: string): Line[] => [1, 2].map(() => ({ tool, response: 'Error: busy' }));
    expect(questions(fails('close_order'))).toContain(
      'How many attempts to close an order failed in the whole session?',
    );
    expect(questions(fails('find_text'))).toContain('How many attempts to find text failed in the whole session?');
    expect(questions(fails('find_user_by_zip'))).toContain(
      "How many of the session's `find_user_by_zip` calls ended in an error?",
    );
  });

  it('tasks are counted for the one agent that handed them over', () => {
    const question = 'How many tasks did lead hand to Reader in the whole session?';
    expect(questions(relay)).toContain(question);
    expect(questions(relay.map((line, i) => (i === 2 ? { ...line, agent: 'other' } : line)))).not.toContain(question);
  });
});
