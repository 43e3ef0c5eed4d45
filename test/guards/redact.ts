import type { Guard } from './guard.ts';

export const redactGuards: readonly Guard[] = [];
