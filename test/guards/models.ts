import type { Guard } from './guard.ts';

export const modelsGuards: readonly Guard[] = [];
