import type { Guard } from './guard.ts';

export const judgeGuards: readonly Guard[] = [];
