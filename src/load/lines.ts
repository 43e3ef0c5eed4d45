/** A file or a pipe, plain or gzip, as numbered lines. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { addAbortSignal, pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf, OperatorError, stop } from '../errors.ts';

export interface Line {
  /** 1 for the first. */
  number: number;
  /** UTF-8 without the line break; null where the line is longer than {@link maxLineBytes}. */
  bytes: Buffer | null;
}

export interface Input {
  /** What it is called in messages. */
  name: string;
  /** Bytes on disk, compressed where it is; null where it is a pipe. */
  totalBytes: number | null;
  /** Bytes taken from the disk or the pipe so far. */
  readBytes(): number;
  lines(): AsyncGenerator<Line>;
}

/** Far above any row that makes sense, far below what a string can hold: a file without line breaks ends here. */
export const maxLineBytes = 64 * 1024 * 1024;

/**
 * Opens a path or a stream. Whether it is gzip is told by its first two bytes, not by its name.
 *
 * @throws OperatorError `file_unreadable` where the path can't be read; `file_damaged` (while reading) where gzip data
 * ends early or is corrupt.
 * When `signal` fires the source is closed and its lines end in an error: a quiet pipe must not keep us.
 */
export async function openInput(source: string | Readable, signal?: AbortSignal): Promise<Input> {
  let readBytes = 0;
  const { name, totalBytes, stream } = typeof source === 'string' ? await openFile(source) : pipe(source);
  if (signal !== undefined) addAbortSignal(signal, stream);
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      readBytes += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  }
  return {
    name,
    totalBytes,
    readBytes: () => readBytes,
    lines: () => linesOf(inflated(counted(), name), maxLineBytes),
  };
}

function pipe(stream: Readable) {
  return { name: 'standard input', totalBytes: null, stream };
}

async function openFile(path: string) {
  try {
    const found = await stat(path);
    if (found.isDirectory()) throw new Error('it is a directory');
    return { name: path, totalBytes: found.isFile() ? found.size : null, stream: createReadStream(path) };
  } catch (error) {
    throw stop('file_unreadable', `${path} can't be read: ${messageOf(error)}`, { cause: error });
  }
}

async function* inflated(chunks: AsyncGenerator<Buffer>, name: string): AsyncGenerator<Buffer> {
  try {
    const head = await atLeast(chunks, 2);
    const all = chain(head, chunks);
    if (head[0] !== 0x1f || head[1] !== 0x8b) {
      yield* all;
      return;
    }
    const plain = createGunzip();
    // A pipeline, since it closes the file when the reader of `plain` leaves early; errors reach that reader.
    pipeline(all, plain, () => {});
    for await (const chunk of plain) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw stop('file_damaged', `${name} can't be read to its end: ${messageOf(error)}; copy or fetch it again`, {
      cause: error,
    });
  }
}

async function atLeast(chunks: AsyncGenerator<Buffer>, bytes: number): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < bytes) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  return head;
}

async function* chain(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}

const lineFeed = 0x0a;

/** Cuts at line feeds. Memory holds one chunk and the line that is being put together. */
export async function* linesOf(chunks: AsyncIterable<Buffer>, longest: number): AsyncGenerator<Line> {
  let number = 1;
  let pieces: Buffer[] = [];
  let length = 0;
  const add = (piece: Buffer) => {
    length += piece.length;
    // Too long already: only its end is still of interest.
    if (length > longest) pieces = [];
    else pieces.push(piece);
  };
  const take = (): Line => {
    const line = { number: number++, bytes: length > longest ? null : Buffer.concat(pieces) };
    pieces = [];
    length = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(lineFeed); at !== -1; at = chunk.indexOf(lineFeed, from)) {
      add(chunk.subarray(from, at));
      yield take();
      from = at + 1;
    }
    add(chunk.subarray(from));
  }
  if (length > 0) yield take();
}
