/** Every guard that `npm run test:guards` takes out. */
import { budgetGuards } from './budget.ts';
import { choiceGuards } from './choice.ts';
import { coreGuards } from './core.ts';
import { downstreamGuards } from './downstream.ts';
import type { Guard } from './guard.ts';
import { journalGuards } from './journal.ts';
import { judgeGuards } from './judge.ts';
import { modelsGuards } from './models.ts';
import { personalGuards } from './personal.ts';
import { redactGuards } from './redact.ts';
import { streamGuards } from './stream.ts';
import { verifyGuards } from './verify.ts';

export const guards: readonly Guard[] = [
  ...coreGuards,
  ...streamGuards,
  ...journalGuards,
  ...redactGuards,
  ...personalGuards,
  ...modelsGuards,
  ...budgetGuards,
  ...judgeGuards,
  ...choiceGuards,
  ...verifyGuards,
  ...downstreamGuards,
];
