import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pack, unpack } from '../../src/topic/kafka/envelope.ts';

/** As kafkajs hands them over. */
function received({ value, headers }: { value: Buffer; headers: Record<string, string> }) {
  return {
    value,
    headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)])),
  };
}

async function packed(changes: Record<string, string | undefined> = {}) {
  const { value, headers } = await pack({ id: 'message-1', bytes: Buffer.from('{"spec":"trajectory/1"}') });
  const changed = Object.entries({ ...headers, ...changes }).filter(([, text]) => text !== undefined);
  return received({ value, headers: Object.fromEntries(changed) as Record<string, string> });
}

describe('envelope', () => {
  it('gives back any bytes, any id and what travels along', async () => {
    const names = fc
      .string({ minLength: 1 })
      .filter((name) => !['envelope', 'id', 'encoding', 'sha256'].includes(name));
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2_000 }),
        fc.string({ minLength: 1, unit: 'grapheme' }),
        fc.dictionary(names, fc.string({ unit: 'grapheme' }), { noNullPrototype: true }),
        async (bytes, id, headers) => {
          const unpacked = await unpack(received(await pack({ id, bytes, headers })));
          expect(unpacked.id).toBe(id);
          expect(Buffer.compare(unpacked.bytes, bytes)).toBe(0);
          for (const [name, text] of Object.entries(headers)) expect(unpacked.headers[name]).toBe(text);
        },
      ),
      { examples: [[new Uint8Array(), ' ', Object.fromEntries([['__proto__', '']])]] },
    );
  });

  it('compresses with gzip, and says so where any client can read it', async () => {
    const { value, headers } = await pack({ id: 'm', bytes: Buffer.from('x'.repeat(10_000)) });
    expect(value.length).toBeLessThan(200);
    expect(gunzipSync(value).toString()).toBe('x'.repeat(10_000));
    expect(headers).toMatchObject({ envelope: '1', id: 'm', encoding: 'gzip' });
  });

  it('does not let a caller replace what names and proves the message', async () => {
    const { headers } = await pack({
      id: 'm',
      bytes: Buffer.from('a'),
      headers: { id: 'other', sha256: '0', more: 'x' },
    });
    expect(headers).toMatchObject({ id: 'm', more: 'x' });
    expect(headers.sha256).toHaveLength(64);
  });

  it('parks a message of another major version, whatever else it holds, and reads a later minor one', async () => {
    await expect(unpack(await packed({ envelope: '2', encoding: 'unheard-of' }))).rejects.toMatchObject({
      kind: 'park',
      code: 'envelope_version',
      message: expect.stringContaining('upgrade, then requeue'),
    });
    expect((await unpack(await packed({ envelope: '1.4' }))).id).toBe('message-1');
  });

  it('parks what this program did not write', async () => {
    const foreign = { value: Buffer.from('hello'), headers: {} };
    await expect(unpack(foreign)).rejects.toMatchObject({ kind: 'park', code: 'bad_message' });
    await expect(unpack({ value: Buffer.from('hello') })).rejects.toMatchObject({ kind: 'park', code: 'bad_message' });
    await expect(unpack(await packed({ id: undefined }))).rejects.toMatchObject({ kind: 'park', code: 'bad_message' });
    await expect(unpack({ ...(await packed()), value: null })).rejects.toMatchObject({
      kind: 'park',
      code: 'bad_message',
    });
  });

  it('parks an encoding that it does not know, and bytes that are not gzip', async () => {
    const code = 'envelope_encoding';
    await expect(unpack(await packed({ encoding: 'zstd' }))).rejects.toMatchObject({ kind: 'park', code });
    const plain = { ...(await packed()), value: Buffer.from('not compressed') };
    await expect(unpack(plain)).rejects.toMatchObject({ kind: 'park', code });
    const whole = await packed();
    const half = { ...whole, value: whole.value.subarray(0, 20) };
    await expect(unpack(half)).rejects.toMatchObject({ kind: 'park', code });
  });

  it('parks bytes that are not those that were sent', async () => {
    const swapped = { ...(await packed()), value: gzipSync('{"spec":"trajectory/2"}') };
    await expect(unpack(swapped)).rejects.toMatchObject({ kind: 'park', code: 'envelope_hash' });
    await expect(unpack(await packed({ sha256: undefined }))).rejects.toMatchObject({ code: 'envelope_hash' });
  });

  it('parks a few bytes that would expand without end', async () => {
    const bomb = received(await pack({ id: 'm', bytes: Buffer.alloc(5_000_000) }));
    expect(bomb.value.length).toBeLessThan(10_000);
    await expect(unpack(bomb, 1_000_000)).rejects.toMatchObject({ kind: 'park', code: 'bad_message' });
  });

  it('never repeats what was inside', async () => {
    const { value, headers } = await pack({ id: 'm', bytes: Buffer.from('only-for-the-handler') });
    const wrong = received({ value, headers: { ...headers, sha256: '00' } });
    const error = (await unpack(wrong).catch((thrown: unknown) => thrown)) as Error;
    expect(`${error.message}${JSON.stringify(error.cause ?? '')}`).not.toContain('only-for-the-handler');
  });
});
