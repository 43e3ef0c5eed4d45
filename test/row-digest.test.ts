import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Lsn, Turn } from '../src/records.ts';
import { createDigester, openDigestKey, rowTextOf } from '../src/row-digest.ts';
import { turnOf } from './support/records.ts';

const key = 'a key of these tests';
const { digestOf } = createDigester(key);
const run = promisify(execFile);

describe('the digest of a row', () => {
  it('is the first half of HMAC-SHA-256 under any key, whatever the size of the row', () => {
    const keys = [key, 'é'.repeat(16), 'k'.repeat(64), 'longer than a block of the hash '.repeat(3)];
    const sizes = [0, 1, 1000, 60_000, 70_000, 300_000];
    for (const each of keys) {
      const digester = createDigester(each);
      for (const size of sizes) {
        const turn = turnOf('session-1', 0, { response: 'né €😀'.repeat(size / 5), metadata: { region: 'north' } });
        const expected = createHmac('sha256', each).update(rowTextOf(turn)).digest().subarray(0, 16);
        expect(digester.digestOf(turn)).toMatch(/^[0-9a-f]{8}:[A-Za-z0-9_-]{22}$/);
        // 22 characters hold 132 bits.
        expect(Buffer.from(digester.digestOf(turn).slice(9), 'base64url')).toEqual(expected);
      }
    }
  });

  it('names its key, and is another under another key', () => {
    const turn = turnOf('session-1', 0);
    const other = createDigester(`${key}!`).digestOf(turn);
    expect(digestOf(turn).slice(0, 8)).toBe(digestOf(turnOf('session-2', 5)).slice(0, 8));
    expect(other.slice(0, 8)).not.toBe(digestOf(turn).slice(0, 8));
    expect(other.slice(9)).not.toBe(digestOf(turn).slice(9));
  });

  it('does not depend on when and how the row came', () => {
    const turn = turnOf('session-1', 0);
    const position = { lsn: '0000000A/00000000' as Lsn, ordinal: -7 };
    expect(digestOf({ ...turn, committedAt: null, position, digest: 'earlier' })).toBe(digestOf(turn));
    const metadata = { region: 'north', tier: 'gold' };
    const reversed = { tier: 'gold', region: 'north' };
    expect(digestOf({ ...turn, metadata: reversed })).toBe(digestOf({ ...turn, metadata }));
    expect(digestOf({ ...turn, metadata: { ...metadata, added: null } })).toBe(digestOf({ ...turn, metadata }));
    expect(digestOf({ ...turn, metadata: { added: null } })).toBe(digestOf(turn));
  });

  it('tells any two rows of different text apart', () => {
    const text = fc.string({ unit: fc.constantFrom('', '-', '1', ':', '0', 'a', 'é', '😀'), maxLength: 3 });
    const row = fc
      .record({
        rowKey: text,
        sessionId: text,
        agent: fc.option(text),
        tool: fc.option(text),
        arguments: fc.option(text),
        response: fc.option(text),
        costUsd: fc.option(text),
        durationMs: fc.option(text),
        createdAt: fc.option(text),
        metadata: fc.dictionary(text, text, { maxKeys: 2 }),
      })
      .map((changes): Turn => turnOf('session-1', 0, changes));
    const textOf = (turn: Turn) => JSON.stringify({ ...turn, metadata: Object.entries(turn.metadata ?? {}).sort() });
    fc.assert(
      fc.property(row, row, (a, b) => {
        expect(digestOf(a) === digestOf(b)).toBe(textOf(a) === textOf(b));
      }),
      { numRuns: 2000 },
    );
    // Text that moves from a field into the next one, and what might be taken for the frame between them.
    const told = (agent: string, tool: string) => digestOf(turnOf('s', 0, { agent, tool }));
    expect(told('ab', 'c')).not.toBe(told('a', 'bc'));
    expect(told('a:b', 'c')).not.toBe(told('a', 'b:c'));
    expect(told('a1:b', 'c')).not.toBe(told('a', 'b1:c'));
    expect(digestOf(turnOf('s', 0, { agent: null, tool: '' }))).not.toBe(
      digestOf(turnOf('s', 0, { agent: '', tool: null })),
    );
    const changes: Partial<Turn>[] = [
      { rowKey: 'x' },
      { sessionId: 'x' },
      { agent: 'x' },
      { tool: 'x' },
      { arguments: 'x' },
      { response: 'x' },
      { costUsd: 'x' },
      { durationMs: 'x' },
      { createdAt: 'x' },
      { metadata: { x: 'x' } },
    ];
    const digests = [{}, ...changes].map((change) => digestOf(turnOf('s', 0, change)));
    expect(new Set(digests).size).toBe(changes.length + 1);
  });
});

describe('the key of the digests', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'digest-key-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is made at first use for its owner alone, and stays', () => {
    const path = join(folder, 'data', 'digest.key');
    const made = openDigestKey(path, null);
    expect(Buffer.from(made, 'base64url')).toHaveLength(32);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(openDigestKey(path, null)).toBe(made);
    expect(readdirSync(join(folder, 'data'))).toEqual(['digest.key']);
    expect(openDigestKey(join(folder, 'other'), null)).not.toBe(made);
  });

  it('is the same for processes that start together', async () => {
    const script = `
      import { mkdirSync, readdirSync } from 'node:fs';
      import { openDigestKey } from './src/row-digest.ts';
      const [ready, made] = [process.env.FOLDER + '/ready', process.env.FOLDER + '/made'];
      mkdirSync(ready + '/' + process.pid, { recursive: true });
      while (readdirSync(ready).length < 2);
      console.log(Array.from({ length: 40 }, (_, n) => openDigestKey(made + '/' + n, null)).join(' '));`;
    const env = { ...process.env, FOLDER: folder };
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const options = { cwd: join(import.meta.dirname, '..'), env };
    const keys = await Promise.all([1, 2].map(async () => (await run(process.execPath, args, options)).stdout.trim()));
    expect(new Set(keys[0]!.split(' ')).size).toBe(40);
    expect(keys[1]).toBe(keys[0]);
    expect(readdirSync(join(folder, 'made'))).toHaveLength(40);
  });

  it('of the settings comes before the file, which is then not made', () => {
    expect(openDigestKey(join(folder, 'digest.key'), 'sixteen letters!')).toBe('sixteen letters!');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is refused where it is too short to be secret, without being said', () => {
    const refusal = { kind: 'stop', code: 'digest_key_too_short', message: expect.not.stringContaining('fifteen') };
    expect(() => openDigestKey(join(folder, 'digest.key'), 'fifteen letters')).toThrow(
      expect.objectContaining(refusal),
    );
    writeFileSync(join(folder, 'digest.key'), 'fifteen letters\n');
    expect(() => openDigestKey(join(folder, 'digest.key'), null)).toThrow(expect.objectContaining(refusal));
  });

  it('that can not be read is not replaced by another one', () => {
    const unusable = expect.objectContaining({ kind: 'stop', code: 'digest_key_unusable' });
    expect(() => openDigestKey(folder, null)).toThrow(unusable);
    writeFileSync(join(folder, 'file'), '');
    expect(() => openDigestKey(join(folder, 'file', 'digest.key'), null)).toThrow(unusable);
  });
});
