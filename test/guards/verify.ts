/** Guards of verdicts: what a model says of a pair, and what becomes of it in the dataset. */
import type { Guard } from './guard.ts';

const verifier = ['test/compile/verify/verifier.test.ts'];
const again = ['test/verifying.test.ts'];
const sqlite = ['test/sinks/sqlite.test.ts'];
const concurrent = ['test/sinks/supabase-concurrent.pg.test.ts'];
const modelVerifier = 'src/compile/verify/model-verifier.ts';
const migration = 'deploy/supabase/migrations/004_verdicts.sql';

export const verifyGuards: readonly Guard[] = [
  {
    name: 'verify: of a cut turn nobody is asked',
    file: modelVerifier,
    old: "cited.some(({ clipped }) => clipped)) return 'clipped';",
    new: "cited.length < 0) return 'clipped';",
    tests: verifier,
  },
  {
    name: 'verify: an answer that was not quoted from its own turns counts nothing',
    file: modelVerifier,
    old: '|| answer.answer === null || !answer.quoted) continue;',
    new: '|| answer.answer === null) continue;',
    tests: verifier,
  },
  {
    name: 'verify: what the model left out is an error',
    file: modelVerifier,
    old: "if (cases.some(({ answer }) => answer === null)) return { status: 'error', reason: 'missing' };",
    new: '',
    tests: verifier,
  },
  {
    name: 'verify: what redaction missed stops the pairs too',
    file: modelVerifier,
    old: " && (error as { code?: string }).code !== 'redaction_leak')",
    new: ')',
    tests: verifier,
  },
  {
    name: 'verify: an answer that was cut is not read',
    file: 'src/compile/verify/reading.ts',
    old: "if (finishReason === 'MAX_TOKENS') return { error: 'truncated' };",
    new: "if (finishReason === 'MAX_TOKENS') finishReason = 'STOP';",
    tests: verifier,
  },
  {
    name: 'verify: no row holds the code of the tags',
    file: 'src/compile/verify/tags.ts',
    old: 'if (!texts.some((text) => text.includes(code))) return code;',
    new: 'if (texts.length >= 0) return code;',
    tests: verifier,
  },
  {
    name: 'verify: an answer that could not be used is asked for anew',
    file: 'src/looking-again.ts',
    old: "return isKnown && verdicts.some(({ status }) => status === 'error');",
    new: "return isKnown && verdicts.every(({ status }) => status === 'held');",
    tests: again,
  },
  {
    name: 'verify: what a gate refuses now is not asked about',
    file: 'src/looking-again.ts',
    old: "if (refusal !== undefined) return { status: 'fail', reason: refusal.reason, ...told };",
    new: "if (refusal !== undefined) return 'open';",
    tests: again,
  },
  {
    name: 'verdicts: a compile that comes again undoes none',
    file: 'src/sinks/sqlite.ts',
    old: 'for (const { pair_key } of rows.verdicts) decide(pair_key);',
    new: '',
    tests: sqlite,
  },
  {
    name: 'verdicts: one on another answer is none',
    file: 'src/sinks/rows.ts',
    old: 'const told = [storableText(question), storableText(answer), supportingTurns];',
    new: 'const told = [storableText(question), storableText(answer).length < 0, supportingTurns];',
    tests: sqlite,
  },
  {
    name: 'verdicts: an answer that could not be used undoes none',
    file: 'src/sinks/generation.ts',
    old: "const rank = unasked ? 0 : status === 'error' ? 1 : 2;",
    new: 'const rank = unasked ? 0 : 2;',
    tests: sqlite,
  },
  {
    name: 'verdicts: a mirror gives one to the pair that is there',
    file: migration,
    old: 'create trigger give_verdict after insert or update of generation on verdicts',
    new: 'create trigger give_verdict after delete on verdicts',
    tests: concurrent,
  },
  {
    name: 'verdicts: writers of one session wait for each other',
    file: migration,
    old: 'create trigger lock_session before insert on verdicts',
    new: 'create trigger lock_session before delete on verdicts',
    tests: concurrent,
  },
];
