import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Coverage, shapeAmong } from '../../../src/compile/coverage/coverage.ts';
import { openCoverage } from '../../../src/compile/coverage/sqlite.ts';
import { traitsOf, withoutRounds } from '../../../src/compile/coverage/traits.ts';
import { coverageContract, routine, viewOf } from './contract.ts';

coverageContract('SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'coverage-'));
  const opened: Coverage[] = [];
  return {
    open: async (rules) => {
      const coverage = openCoverage({ path: join(folder, 'coverage.sqlite'), ...rules });
      opened.push(coverage);
      return coverage;
    },
    dispose: async () => {
      for (const coverage of opened) await coverage.close();
      rmSync(folder, { recursive: true });
    },
  };
});

describe('the shape of a segment', () => {
  const shape = (rows: typeof routine, session = 'session') => traitsOf(viewOf(rows, session)).shingles;
  const others = JSON.parse(JSON.stringify(routine).replaceAll('C-71', 'C-9034').replaceAll('north', 'south'));

  it('is the same whatever ids and values a routine meets', () => {
    expect(shape(others, 'another')).toEqual(shape(routine));
  });

  it('is the same however often a loop goes round', () => {
    const rounds = (times: number) => [routine[0]!, ...Array.from({ length: times }, () => routine.slice(1, 3)).flat()];
    expect(shape(rounds(7))).toEqual(shape(rounds(1)));
  });

  it('is the same for the workers of a fleet, and another for another agent or other arguments', () => {
    const by = (agent: string) => routine.map((row) => ({ ...row, agent }));
    expect(shape(by('clerk-17'))).toEqual(shape(by('clerk-4')));
    expect(shape(by('auditor'))).not.toEqual(shape(by('clerk-4')));
    expect(shape(routine.with(1, { ...routine[1]!, args: { parcel: 'PX-1' } }))).not.toEqual(shape(routine));
  });

  it('is taken from a loop within a loop', () => {
    expect(withoutRounds([...'abbcabcabbbcd']).join('')).toBe('abcd');
  });
});

describe('the shape that a segment belongs to', () => {
  const known = (id: number, size: number, shared: number) => ({ id, size, shared, passedOver: 0 });

  it('shares half of what either of them does', () => {
    expect(shapeAmong([known(1, 4, 3)], 5)?.id).toBe(1);
    expect(shapeAmong([known(1, 5, 3)], 5)).toBeNull();
  });

  it('is the likest, of equals the oldest', () => {
    expect(shapeAmong([known(1, 4, 3), known(3, 4, 4), known(2, 4, 4)], 4)?.id).toBe(2);
  });
});
