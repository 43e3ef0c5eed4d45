import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { isGone, newOwner } from '../../src/topic/owner.ts';

function changed(change: (parts: unknown[]) => unknown): string {
  const parts = JSON.parse(newOwner()) as unknown[];
  change(parts);
  return JSON.stringify(parts);
}

describe('the owner of a lease', () => {
  it('is alive as long as its process runs', () => {
    expect(isGone(newOwner())).toBe(false);
  });

  it('is gone when its process has ended, or its number was given to another', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    expect(isGone(changed((parts) => parts.splice(1, 1, pid)))).toBe(true);
    expect(isGone(changed((parts) => parts.splice(2, 1, 'an earlier start')))).toBe(true);
  });

  it('counts as alive where its process cannot be seen', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const elsewhere = changed((parts) => {
      parts[0] = 'another-host pid:[1]';
      parts[1] = pid;
    });
    expect(isGone(elsewhere)).toBe(false);
    expect(isGone('no owner of ours')).toBe(false);
  });
});
