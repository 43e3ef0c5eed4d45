import { describe, expect, it } from 'vitest';
import type { DraftPair } from '../../../src/compile/compiler.ts';
import { runGates } from '../../../src/compile/gates/run.ts';
import { createView } from '../../../src/compile/segment.ts';
import { leadsDraft as leads, parcelRows, type Row, trajectoryOf } from '../../support/trajectories.ts';

const viewOf = (rows: Row[]) => createView(trajectoryOf(rows));
const parcels = viewOf(parcelRows);

function verdict(draft: Partial<DraftPair>, view = parcels, base: DraftPair = leads): string {
  const { refused, passed } = runGates([{ ...base, ...draft }], view);
  return refused[0]?.reason ?? passed[0]?.held ?? 'passed';
}

/** An order looked up, changed and looked up again, with other work in between. */
const orderRows: Row[] = [
  { tool: 'find_customer', args: { email: 'x-9' }, response: { customer: 'cu_311', orders: ['OR-100', 'OR-200'] } },
  {
    tool: 'get_order',
    args: { order_id: 'OR-100' },
    response: { order_id: 'OR-100', status: 'pending', total: '30.00' },
  },
  {
    tool: 'get_order',
    args: { order_id: 'OR-200' },
    response: { order_id: 'OR-200', status: 'delivered', total: '9.10' },
  },
  { tool: 'look_around', args: { where: 'stock' }, response: { colour: 'green' } },
  { tool: 'cancel_order_item', args: { order_id: 'OR-100', item: 'kettle' }, response: { accepted: 'yes, by desk 4' } },
  { tool: 'wait_a_bit', args: { minutes: 4 }, response: { waited: 4 } },
  {
    tool: 'get_order',
    args: { order_id: 'OR-100' },
    response: { order_id: 'OR-100', status: 'cancelled', total: '0.00' },
  },
];
const orders = viewOf(orderRows);

/** Asks through the customer: the order of theirs that was looked up first. */
const status: DraftPair = {
  question: 'What is the status of order OR-100 of the customer with the key x-9?',
  answer: 'cancelled',
  qaType: 'factoid',
  supportingTurns: [0, 6],
  evidence: [
    { turn: 0, quote: 'email: x-9' },
    { turn: 6, quote: 'status: cancelled' },
  ],
  derivation: null,
  raw: '{}',
};

describe('a name', () => {
  it('of the answer stands in a quote, or was called', () => {
    expect(verdict({ answer: 'Tamsin Okoro' })).toBe('ungrounded_name');
    expect(verdict({ answer: 'Tomsin Okafor' })).toBe('ungrounded_name');
    expect(verdict({ answer: 'It is “the night lead”' })).toBe('ungrounded_name');
  });

  it('that stands in a cited turn but in no quote supports nothing', () => {
    const rows = [...parcelRows];
    rows[6] = { ...rows[6], response: { lead: 'Tamsin Okafor', deputy: 'Ruth Achebe', badge: 'tk_2207' } };
    expect(verdict({ answer: 'Ruth Achebe' }, viewOf(rows))).toBe('ungrounded_name');
  });
});

describe('words', () => {
  it('of which most stand nowhere in quotes, calls or question are refused', () => {
    const why = 'Why was the desk of complaint C-71 asked about harbour_depot?';
    expect(verdict({ question: why, answer: 'an engine had exploded nearby' })).toBe('ungrounded_words');
    expect(verdict({ question: why, answer: 'the parcel lies in that depot' })).toBe('passed');
  });

  it('are looked at clause by clause', () => {
    expect(verdict({ answer: 'Tamsin Okafor leads the depot with the parcel and an engine exploded' })).toBe(
      'ungrounded_words',
    );
  });

  it('that say a number are numbers', () => {
    const many = 'How many people lead the depot that holds the parcel of complaint C-71?';
    expect(verdict({ question: many, answer: 'three leads' })).toBe('ungrounded_number');
  });
});

describe('an answer', () => {
  it('that is a bare yes or no is refused', () => {
    const question = 'Is the parcel of complaint C-71 held by a depot with a lead?';
    for (const answer of ['Yes.', 'No', 'Yes, the parcel is held by a depot', 'True'])
      expect(verdict({ question, answer })).toBe('yes_no');
    expect(verdict({ question, answer: 'Yes, by Tamsin Okafor' })).toBe('passed');
  });

  it('that says that there is none is refused, unless a turn says so', () => {
    for (const answer of ['unknown', 'N/A', 'The lead is not stated.', 'It cannot be determined', '–'])
      expect(verdict({ answer })).toBe('states_nothing');
    const rows = [...parcelRows];
    rows[6] = { ...rows[6], response: { lead: 'not known', badge: 'tk_2207' } };
    const evidence = [...leads.evidence.slice(0, 2), { turn: 6, quote: 'lead: not known' }];
    expect(verdict({ answer: 'not known', evidence }, viewOf(rows))).toBe('passed');
  });
});

describe('a question', () => {
  it('starts from what a cited turn holds', () => {
    const question = 'Who leads the depot that holds the parcel of complaint C-72?';
    expect(verdict({ question })).toBe('ungrounded_question');
    expect(verdict({ question: 'Who led the depot of the parcel of complaint C-71 on 2026-03-03?' })).toBe(
      'ungrounded_question',
    );
  });

  it('that names what only a turn that is not cited holds lacks that turn', () => {
    const rows: Row[] = [...parcelRows, { tool: 'note', args: {}, response: 'Hears of Lighthouse Street.' }];
    const question = 'Who leads the depot that holds the parcel of complaint C-71 of Lighthouse Street?';
    expect(verdict({ question }, viewOf(rows))).toBe('ungrounded_question');
    expect(verdict({ question })).toBe('passed');
  });

  it('that speaks of an event cites the call that it was', () => {
    const question = 'Who leads the depot of complaint C-71, whose open cases were listed?';
    expect(verdict({ question })).toBe('ungrounded_question');
  });

  it('that names a state of what is quoted cites where it was seen', () => {
    const question = 'What is the status of order OR-100 of the customer with the key x-9 that was pending?';
    expect(verdict({ question }, orders, status)).toBe('ungrounded_question');
  });
});

describe('support', () => {
  it('is what is quoted: turns that are only cited make no gap', () => {
    const derivation = {
      op: 'order' as const,
      operands: [
        { turn: 2, field: 'tool' as const, path: null, value: 'weigh_parcel' },
        { turn: 3, field: 'tool' as const, path: null, value: 'find_parcel' },
        { turn: 6, field: 'tool' as const, path: null, value: 'depot_staff' },
      ],
      scope: 'operands' as const,
      result: 'weigh_parcel',
      params: { pick: 'first' },
    };
    const question = 'Which of these came first: weigh_parcel, find_parcel or depot_staff?';
    const evidence = [
      { turn: 2, quote: 'clerk weigh_parcel' },
      { turn: 3, quote: 'clerk find_parcel' },
    ];
    const draft = { question, answer: 'weigh_parcel', derivation, supportingTurns: [2, 3, 6], evidence };
    expect(verdict(draft)).toBe('thin_evidence');
    expect(verdict({ ...draft, evidence: [...evidence, { turn: 6, quote: 'clerk depot_staff' }] })).toBe('passed');
  });

  it('that leads nowhere from what the question names is too little', () => {
    const evidence = [leads.evidence[0]!, leads.evidence[2]!];
    expect(verdict({ evidence, supportingTurns: [0, 6] })).toBe('unlinked');
  });

  it('whose turns follow each other is adjacent, whatever the gates find of them needed', () => {
    const near = [orderRows[0]!, orderRows[3]!, orderRows[6]!];
    const evidence = [
      status.evidence[0]!,
      { turn: 1, quote: 'colour: green' },
      { turn: 2, quote: 'status: cancelled' },
    ];
    expect(verdict({ supportingTurns: [0, 1, 2], evidence }, viewOf(near), status)).toBe('adjacent');
  });
});

describe('a value that was replaced', () => {
  const asWas = {
    answer: 'pending',
    supportingTurns: [0, 1],
    evidence: [status.evidence[0]!, { turn: 1, quote: 'status: pending' }],
  };

  it('is refused where the question asks for no other time than the end', () => {
    expect(verdict({}, orders, status)).toBe('passed');
    const rows = orderRows.toSpliced(1, 0, { tool: 'pause', args: { n: 5 }, response: { ok: 'fine' } });
    const late = {
      ...asWas,
      supportingTurns: [0, 2],
      evidence: [asWas.evidence[0]!, { turn: 2, quote: 'status: pending' }],
    };
    expect(verdict(late, viewOf(rows), status)).toBe('stale_value');
    const finally_ = 'What was the final status of order OR-100 of the customer with the key x-9?';
    expect(verdict({ ...late, question: finally_ }, viewOf(rows), status)).toBe('stale_value');
    const first = 'What was the status of order OR-100 of the customer with the key x-9 at first?';
    expect(verdict({ ...late, question: first }, viewOf(rows), status)).toBe('passed');
  });

  it('is also one that a later call put another value in place of', () => {
    const rows: Row[] = [
      { tool: 'find_customer', args: { email: 'x-9' }, response: { customer: 'cu_311', order: 'OR-100' } },
      { tool: 'look_around', args: { where: 'stock' }, response: { colour: 'green' } },
      {
        tool: 'get_order',
        args: { order_id: 'OR-100' },
        response: { order_id: 'OR-100', address: { street: 'Mill Lane' } },
      },
      { tool: 'modify_address', args: { order_id: 'OR-100', street: 'Quay Road' }, response: 'Done.' },
    ];
    const evidence = [status.evidence[0]!, { turn: 2, quote: 'street: Mill Lane' }];
    const draft = {
      question: 'To which street does the order of the customer with the key x-9 go?',
      answer: 'Mill Lane',
    };
    expect(verdict({ ...draft, evidence, supportingTurns: [0, 2] }, viewOf(rows), status)).toBe('stale_value');
    expect(verdict({ ...draft, evidence, supportingTurns: [0, 2] }, viewOf(rows.slice(0, 3)), status)).toBe('passed');
  });

  it('is told with the one that replaced it, where the question asks for both', () => {
    const both = {
      question: 'How did the status of order OR-100 differ between the first look and the last one?',
      supportingTurns: [1, 6],
      evidence: [
        { turn: 1, quote: 'status: pending' },
        { turn: 6, quote: 'status: cancelled' },
      ],
    };
    expect(verdict({ ...both, answer: 'it went from pending to cancelled' }, orders, status)).toBe('passed');
    expect(verdict({ ...both, answer: 'pending both times' }, orders, status)).toBe('one_value');
    expect(verdict({ ...both, answer: 'it went from pending to pending' }, orders, status)).toBe('one_value');
  });
});

describe('a value of another time', () => {
  const rows: Row[] = [1, 2, 3, 4].flatMap((n): Row[] => [
    {
      tool: 'check_kiln',
      args: {},
      response: { glow: ['faint', 'orange', 'yellow', 'white'][n - 1], draught: `${n}${n}` },
    },
    { tool: 'stoke_kiln', args: { logs: n * 100 }, response: 'More wood is on the fire.' },
  ]);
  const kiln = viewOf(rows);
  const glow: DraftPair = {
    ...status,
    question: 'What was the glow of the kiln at the first check, and what at the last one?',
    answer: 'faint at first, and white at last',
    supportingTurns: [0, 6],
    evidence: [
      { turn: 0, quote: 'glow: faint' },
      { turn: 6, quote: 'glow: white' },
    ],
  };

  it('that nothing is quoted of is no answer', () => {
    expect(verdict({}, kiln, glow)).toBe('passed');
    expect(verdict({ answer: 'a faint glow at first, white after an orange glow at last' }, kiln, glow)).toBe(
      'stale_value',
    );
  });

  it('is not the first nor the last one', () => {
    const early = [glow.evidence[0]!, { turn: 4, quote: 'glow: yellow' }];
    expect(verdict({ answer: 'faint and yellow at last', supportingTurns: [0, 4], evidence: early }, kiln, glow)).toBe(
      'stale_value',
    );
    const late = [{ turn: 2, quote: 'glow: orange' }, glow.evidence[1]!];
    expect(verdict({ answer: 'orange and white at last', supportingTurns: [2, 6], evidence: late }, kiln, glow)).toBe(
      'stale_value',
    );
  });

  it('is asked for by a number of one digit too, where its label is', () => {
    const short = viewOf(rows.map((row, i) => (i % 2 === 0 ? { ...row, response: { draught: i } } : row)));
    const question = 'What was burnt between the kiln check that showed a draught of 2 and one that showed 4?';
    const evidence = [
      { turn: 2, quote: 'draught: 2' },
      { turn: 5, quote: 'logs: 300' },
    ];
    expect(verdict({ question, answer: 'logs 300', supportingTurns: [2, 5], evidence }, short, glow)).toBe(
      'ungrounded_question',
    );
  });
});

describe('a number behind a label', () => {
  it('is the one that is quoted with it', () => {
    const weighed: DraftPair = {
      ...leads,
      question: 'What did the parcel of complaint C-71 weigh, and on which shelf of harbour_depot was it?',
      evidence: [
        { turn: 0, quote: 'parcel: PX-4417' },
        { turn: 3, quote: 'depot: harbour_depot shelf: B7' },
        { turn: 8, quote: 'kilograms: 12.95 scale: S1' },
      ],
      supportingTurns: [0, 3, 8],
      answer: 'kilograms 12.95, shelf B7',
    };
    const with90 = { ...weighed, question: weighed.question.replace('weigh', 'weigh for 90 pence') };
    expect(verdict({}, parcels, weighed)).toBe('passed');
    expect(verdict({ answer: 'kilograms 90, shelf B7' }, parcels, with90)).toBe('ungrounded_number');
  });
});

describe('a difference', () => {
  it('that tells one of its numbers tells both', () => {
    const derivation = {
      op: 'difference' as const,
      operands: [
        { turn: 2, field: 'response' as const, path: 'kilograms', value: '12.40' },
        { turn: 8, field: 'response' as const, path: 'kilograms', value: '12.95' },
      ],
      scope: 'operands' as const,
      result: '0.55',
    };
    const heavier = {
      question: 'By how many kilograms did parcel PX-4417 weigh more after it was packed anew?',
      supportingTurns: [2, 8],
      evidence: [
        { turn: 2, quote: 'kilograms: 12.40' },
        { turn: 8, quote: 'kilograms: 12.95' },
      ],
      derivation,
    };
    expect(verdict({ ...heavier, answer: '0.55 (12.95 against 12.40)' })).toBe('passed');
    expect(verdict({ ...heavier, answer: '0.55 (12.95 against 12.95)' })).toBe('derivation_mismatch');
  });
});
