import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readNames } from '../src/compiling/redaction.ts';

const folder = mkdtempSync(join(tmpdir(), 'names-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(bytes: Buffer): string {
  const path = join(folder, 'names.txt');
  writeFileSync(path, bytes);
  return path;
}

it('a list of names is one a line, whatever ends the lines', () => {
  expect(readNames(fileOf(Buffer.from('\ufeffZoë Mills\r\n\r\n  Ann Lee \n')))).toEqual(['Zoë Mills', 'Ann Lee']);
});

it('a list in another encoding is refused: it would name nobody', () => {
  expect(() => readNames(fileOf(Buffer.from('Zoë Mills\n', 'latin1')))).toThrow('redact.namesFile');
  expect(() => readNames(fileOf(Buffer.from('Zoe Mills\n', 'utf16le')))).toThrow('UTF-8');
});
