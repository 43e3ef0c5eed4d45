/** Every guard that `npm run test:guards` takes out. */
import { coreGuards } from './core.ts';
import { downstreamGuards } from './downstream.ts';
import type { Guard } from './guard.ts';
import { journalGuards } from './journal.ts';
import { streamGuards } from './stream.ts';

export const guards: readonly Guard[] = [...coreGuards, ...streamGuards, ...journalGuards, ...downstreamGuards];
