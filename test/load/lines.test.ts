import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { linesOf, openInput } from '../../src/load/lines.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lines-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function linesIn(source: string | Readable): Promise<(string | null)[]> {
  const lines: (string | null)[] = [];
  for await (const line of (await openInput(source)).lines()) lines.push(line.bytes?.toString() ?? null);
  return lines;
}

const file = (name: string, content: string | Buffer) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

describe('openInput', () => {
  it('reads plain and gzip alike, whatever the file is called, and a last line without a line break', async () => {
    const text = 'one\n\nthrée\nfour';
    const expected = ['one', '', 'thrée', 'four'];
    expect(await linesIn(file('plain.gz', text))).toEqual(expected);
    expect(await linesIn(file('packed.jsonl', gzipSync(text)))).toEqual(expected);
    expect(await linesIn(file('two-members', Buffer.concat([gzipSync('one\n\nth'), gzipSync('rée\nfour\n')])))).toEqual(
      expected,
    );
  });

  it('tells gzip on a pipe even where the first byte comes alone', async () => {
    const packed = gzipSync('one\ntwo\n');
    const bytes = [...packed].map((byte) => Buffer.from([byte]));
    expect(await linesIn(Readable.from(bytes))).toEqual(['one', 'two']);
    expect(await linesIn(Readable.from([Buffer.from('x')]))).toEqual(['x']);
    expect(await linesIn(Readable.from([]))).toEqual([]);
  });

  it('counts the bytes of the file, not of what they unpack to', async () => {
    const path = file('counted', gzipSync('a'.repeat(10_000)));
    const input = await openInput(path);
    for await (const _ of input.lines());
    expect(input.readBytes()).toBe(input.totalBytes);
    expect(input.totalBytes).toBeLessThan(200);
  });

  it('says which file is missing, a folder, or ends too early', async () => {
    await expect(linesIn(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'file_unreadable' });
    await expect(linesIn(folder)).rejects.toMatchObject({ code: 'file_unreadable' });
    const half = gzipSync(Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 251))).subarray(0, 100);
    await expect(linesIn(file('half', half))).rejects.toMatchObject({ code: 'file_damaged' });
  });
});

describe('linesOf', () => {
  const collect = async (chunks: Buffer[], longest: number) => {
    const lines: [number, string | null][] = [];
    for await (const line of linesOf(Readable.from(chunks), longest))
      lines.push([line.number, line.bytes?.toString() ?? null]);
    return lines;
  };

  it('cuts the same lines however the bytes arrive', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'bé', '\n', '\n\n')),
        fc.integer({ min: 1, max: 5 }),
        async (parts, size) => {
          const whole = Buffer.from(parts.join(''));
          const chunks: Buffer[] = [];
          for (let i = 0; i < whole.length; i += size) chunks.push(whole.subarray(i, i + size));
          const expected = whole.toString().split('\n');
          if (expected.at(-1) === '') expected.pop();
          expect(await collect(chunks, 1_000)).toEqual(expected.map((line, i) => [i + 1, line]));
        },
      ),
    );
  });

  it('gives up a line that is too long and goes on with the next', async () => {
    const chunks = ['abc', 'def', 'ghi\nok\n', 'longer than that\nend'].map((text) => Buffer.from(text));
    expect(await collect(chunks, 8)).toEqual([
      [1, null],
      [2, 'ok'],
      [3, null],
      [4, 'end'],
    ]);
  });
});
