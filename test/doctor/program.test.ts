import { expect, it } from 'vitest';
import { examineProgram, memoryCheck, nodeCheck, openFilesCheck } from '../../src/doctor/program.ts';
import { checksOf, faults, named } from './looking.ts';

it('this program runs here', async () => {
  const checks = await checksOf((list) => examineProgram(list, { version: '1.2.3' }));
  expect(faults(checks)).toEqual([]);
  expect(named(checks, 'version').sentence).toContain('1.2.3');
  expect(named(checks, 'sqlite').sentence).toMatch(/^SQLite \d/);
});

it.each([
  ['20.18.3', 'failure'],
  ['18.20.0', 'failure'],
  ['20.19.0', 'ok'],
  ['22.1.0', 'ok'],
  ['24.0.0', 'ok'],
])('of Node %s it says %s', (version, outcome) => {
  expect(nodeCheck(version).outcome).toBe(outcome);
});

it('little memory and few open files are warned of', () => {
  expect(memoryCheck(2 ** 31)).toMatchObject({ outcome: 'ok' });
  expect(memoryCheck(2 ** 28)).toMatchObject({
    outcome: 'warning',
    remedy: expect.stringContaining('compile.concurrency'),
  });
  const limits = (soft: string) =>
    `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}    4096  files\n`;
  expect(openFilesCheck(limits('256'))).toMatchObject({ outcome: 'warning', remedy: 'ulimit -n 4096' });
  expect(openFilesCheck(limits('1024')).outcome).toBe('ok');
  expect(openFilesCheck(limits('unlimited')).outcome).toBe('ok');
  expect(openFilesCheck(null).outcome).toBe('ok');
});
