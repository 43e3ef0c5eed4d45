import type { Guard } from './guard.ts';

export const budgetGuards: readonly Guard[] = [];
