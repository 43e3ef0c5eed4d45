import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Guard } from './guard.ts';
import { guards } from './guards.ts';
import { without } from './mutate.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function misfitOf(guard: Guard): string | null {
  try {
    const text = readFileSync(join(root, guard.file), 'utf8');
    if (without(text, guard) === text) return `guard "${guard.name}" stays in`;
  } catch (error) {
    return String(error);
  }
  const missing = guard.tests.filter((file) => !existsSync(join(root, file)));
  return missing.length > 0 ? `guard "${guard.name}" has no test ${missing.join(', ')}` : null;
}

test('every guard stands in its file once, and can be taken out', () => {
  expect(guards.flatMap((guard) => misfitOf(guard) ?? [])).toEqual([]);
});

test('no two guards have one name', () => {
  expect(new Set(guards.map(({ name }) => name)).size).toBe(guards.length);
});
