/**
 * One POST, its answer read whole. Not `fetch`: that gives up 300 seconds after the request whatever its caller allows,
 * which a local model or the flex tier may need; it follows redirects, and reads as much as it is sent.
 */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { exitCodes, stop } from '../../errors.ts';

export interface PostRequest {
  headers: Record<string, string>;
  body: string;
  signal: AbortSignal;
  maxBytes?: number;
}

export interface PostAnswer {
  status: number;
  headers: Headers;
  text: string;
}

/** More than any answer of a model, far less than the memory of a process. */
export const maxAnswerBytes = 8 * 1024 * 1024;

export class AnswerTooLarge extends Error {
  constructor(maxBytes: number) {
    super(`an answer of more than ${maxBytes} bytes`);
    this.name = 'AnswerTooLarge';
  }
}

export class Redirected extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`a redirection (${status})`);
    this.name = 'Redirected';
    this.status = status;
  }
}

/** @throws AnswerTooLarge; what Node throws where the connection breaks, with its `code`; AbortError where the signal fired. */
export function post(address: string | URL, { headers, body, signal, ...more }: PostRequest): Promise<PostAnswer> {
  const { maxBytes = maxAnswerBytes } = more;
  const url = new URL(address);
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const request = send(url, { method: 'POST', headers: { ...headers, ...length }, signal }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > maxBytes) request.destroy(new AnswerTooLarge(maxBytes));
      });
      // A connection that breaks within the answer is told to the response alone.
      response.on('error', (error) => reject(bytes > maxBytes ? new AnswerTooLarge(maxBytes) : error));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: headersOf(response),
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

/**
 * A key travels in a header, which no other characters can: sent all the same, it would look like a connection that
 * breaks, and be tried for ever.
 *
 * @throws OperatorError `model_key_malformed` (stop, exit code 3); the key is no part of it.
 */
export function refuseMalformedKey(key: string, setting: string): void {
  if (/^[\x21-\x7e]*$/.test(key.trim())) return;
  const message = `${setting} holds a blank, a line break or a character that no key has: copy the key again, without quotes or what stands around it`;
  throw stop('model_key_malformed', message, { exitCode: exitCodes.configuration });
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  return headers;
}

/** The same for a library that wants a `fetch`. @throws Redirected, which such a library may not tell from a failure. */
export const postAsFetch: typeof fetch = async (input, init) => {
  const { status, headers, text } = await post(input instanceof Request ? input.url : input, {
    headers: Object.fromEntries(new Headers(init?.headers)),
    body: typeof init?.body === 'string' ? init.body : '',
    signal: init?.signal ?? new AbortController().signal,
  });
  if (status >= 300 && status < 400) throw new Redirected(status);
  return new Response(status === 204 ? null : text, { status, headers });
};
