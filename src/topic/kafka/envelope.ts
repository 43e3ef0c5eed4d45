/**
 * What every message of ours looks like in Kafka: the bytes of a record, compressed by us (so that any client reads them
 * and limits mean what travels), and headers that name and prove them. The form has a version of its own, beside that of
 * the record inside:
 *
 *   envelope  `1`; of another major version nothing else is known
 *   id        of the message, for ever
 *   encoding  `gzip`
 *   sha256    of the bytes before compression, in hex
 */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import type { IHeaders } from 'kafkajs';
import { park } from '../../errors.ts';

export interface Packed {
  value: Buffer;
  headers: Record<string, string>;
}

export interface Unpacked {
  id: string;
  bytes: Buffer;
  /** All of them, those of the envelope included. */
  headers: Record<string, string>;
}

const majorVersion = '1';
const maxPlainBytes = 1024 ** 3;
const compress = promisify(gzip);
const expand = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

/** `headers` of the caller travel along; those of the envelope can't be replaced. */
export async function pack(content: {
  id: string;
  bytes: Uint8Array;
  headers?: Record<string, string>;
}): Promise<Packed> {
  const sha256 = createHash('sha256').update(content.bytes).digest('hex');
  const value = await compress(content.bytes, { level: constants.Z_DEFAULT_COMPRESSION });
  return { value, headers: { ...content.headers, envelope: majorVersion, id: content.id, encoding: 'gzip', sha256 } };
}

/**
 * @param maxBytes what a few compressed bytes may grow to
 * @throws OperatorError (park) `bad_message`, `envelope_version`, `envelope_encoding`, `envelope_hash`
 */
export async function unpack(
  message: { value: Buffer | null; headers?: IHeaders | undefined },
  maxBytes = maxPlainBytes,
): Promise<Unpacked> {
  const headers = readHeaders(message.headers);
  const { envelope, id, encoding, sha256 } = headers;
  if (envelope === undefined) {
    throw park('bad_message', 'the message has no header "envelope": it was not written by this program');
  }
  if (envelope.split('.')[0] !== majorVersion) {
    throw park(
      'envelope_version',
      `the message has envelope version ${quoted(envelope)}, this program reads ${majorVersion}: upgrade, then requeue it`,
    );
  }
  if (!id) throw park('bad_message', 'the message has no header "id"');
  if (message.value === null) throw park('bad_message', `message ${quoted(id)} is empty`);
  if (encoding !== 'gzip') {
    throw park('envelope_encoding', `message ${quoted(id)} has encoding ${quoted(encoding)}, not "gzip"`);
  }
  const bytes = await expandAtMost(message.value, id, maxBytes);
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw park(
      'envelope_hash',
      `the bytes of message ${quoted(id)} are not those that were sent: their SHA-256 differs`,
    );
  }
  return { id, bytes, headers };
}

async function expandAtMost(value: Buffer, id: string, maxBytes: number): Promise<Buffer> {
  try {
    return await expand(value, { maxOutputLength: maxBytes });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw park('bad_message', `message ${quoted(id)} of ${value.length} bytes expands to more than ${maxBytes}`, {
        cause,
      });
    }
    throw park('envelope_encoding', `message ${quoted(id)} is not gzip, though its header says so`, { cause });
  }
}

/** Of a header that is there several times, the last counts. Whatever it is called: `__proto__` is a name like any other. */
function readHeaders(headers: IHeaders = {}): Record<string, string> {
  const texts = Object.entries(headers).map(([name, value]) => {
    const last = Array.isArray(value) ? value.at(-1) : value;
    return [name, last?.toString()] as const;
  });
  return Object.fromEntries(texts.filter((entry): entry is readonly [string, string] => entry[1] !== undefined));
}

/** Headers can be anything: what an error repeats of them is short. */
function quoted(text: string | undefined): string {
  return JSON.stringify((text ?? '').slice(0, 80));
}
