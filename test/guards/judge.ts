import type { Guard } from './guard.ts';

const truth = ['test/compile/gates/truth.test.ts'];
const gates = 'src/compile/gates';

export const judgeGuards: readonly Guard[] = [
  {
    name: 'gates: names of the answer are quoted',
    file: `${gates}/grounding.ts`,
    old: "if (name !== undefined) return refuse('ungrounded_name', excerpt(name));",
    new: '',
    tests: truth,
  },
  {
    name: 'gates: what a cited turn holds besides its quotes supports nothing',
    file: `${gates}/grounding.ts`,
    old: "const told = [draft.question, ...evidence.map(({ quote }) => quote)].join('\\n');",
    new: "const told = [draft.question, ...evidence.map(({ quote }) => quote), ...turns.map(({ text }) => text)].join('\\n');",
    tests: truth,
  },
  {
    name: 'gates: most words of an answer are grounded',
    file: `${gates}/grounding.ts`,
    old: 'const ownWordsShare = 0.5;',
    new: 'const ownWordsShare = 2;',
    tests: truth,
  },
  {
    name: 'gates: a difference tells both of its numbers',
    file: `${gates}/grounding.ts`,
    old: 'from.every((number) => said.includes(number));',
    new: 'true;',
    tests: truth,
  },
  {
    name: 'gates: no bare yes or no',
    file: `${gates}/answer.ts`,
    old: 'if (yesOrNo.test(told) &&',
    new: 'if (false as boolean &&',
    tests: truth,
  },
  {
    name: 'gates: no answer that says that there is none',
    file: `${gates}/answer.ts`,
    old: 'if (empty !== undefined && !said(empty))',
    new: 'if (false as boolean)',
    tests: truth,
  },
  {
    name: 'gates: a question starts from what is cited',
    file: `${gates}/question.ts`,
    old: 'const literal = literals.find((value) =>',
    new: 'const literal = literals.slice(literals.length).find((value) =>',
    tests: truth,
  },
  {
    name: 'gates: a question speaks of events that are cited',
    file: `${gates}/question.ts`,
    old: "if (event !== null) return refuse('ungrounded_question', excerpt(event));",
    new: '',
    tests: truth,
  },
  {
    name: 'gates: a question names states that are quoted',
    file: `${gates}/run.ts`,
    old: 'checkAskedStates(cited, context) ??',
    new: '',
    tests: truth,
  },
  {
    name: 'gates: a value that was replaced is no answer',
    file: `${gates}/run.ts`,
    old: 'checkStale(cited, context) ??',
    new: '',
    tests: truth,
  },
  {
    name: 'gates: of a change both values are told',
    file: `${gates}/run.ts`,
    old: 'checkBothTold(cited, context) ??',
    new: '',
    tests: truth,
  },
  {
    name: 'gates: quotes stand apart',
    file: `${gates}/run.ts`,
    old: 'checkQuoted(needed, view) ??',
    new: '',
    tests: truth,
  },
  {
    name: 'gates: the answer is reached from the question',
    file: `${gates}/run.ts`,
    old: 'checkLinked(needed) ??',
    new: '',
    tests: truth,
  },
  {
    name: 'gates: a turn that is quoted makes no gap between its neighbours',
    file: `${gates}/support.ts`,
    old: '!quoted.some(({ turn }) => turn === index)',
    new: 'true',
    tests: truth,
  },
  {
    name: 'rules: what was changed is told by turns of its own',
    file: 'src/compile/rules/operations.ts',
    old: 'if (!done.every((call) => operands.some((operand) => operand.call === call))) return null;',
    new: '',
    tests: ['test/compile/rules/recompute.test.ts'],
  },
];
