/**
 * A local server that speaks the wire form of `models.generateContent`, so that the real SDK runs against scripted
 * answers and faults. What it was sent is kept for the tests to look at.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedCall {
  path: string;
  model: string;
  apiKey: string | undefined;
  headers: IncomingMessage['headers'];
  body: {
    contents: { parts: { text: string }[] }[];
    systemInstruction?: { parts: { text: string }[] };
    serviceTier?: string;
    generationConfig: Record<string, unknown> & { responseJsonSchema?: Record<string, unknown> };
  };
}

/** Answers one call: writes to the response, or leaves it hanging. */
export type Script = (response: ServerResponse, call: ReceivedCall) => void;

export interface GeminiServer {
  readonly baseUrl: string;
  readonly received: ReceivedCall[];
  /** What the next calls get, in order; the last one is repeated. */
  play(...scripts: Script[]): void;
  close(): Promise<void>;
}

export async function startGeminiServer(): Promise<GeminiServer> {
  const received: ReceivedCall[] = [];
  let scripts: Script[] = [status(500, {})];
  const server = createServer(async (request, response) => {
    const call = { ...(await readCall(request)), apiKey: headerOf(request, 'x-goog-api-key') };
    received.push(call);
    const script = scripts.length > 1 ? scripts.shift()! : scripts[0]!;
    script(response, call);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    play: (...next) => {
      scripts = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readCall(request: IncomingMessage): Promise<Omit<ReceivedCall, 'apiKey'>> {
  const { headers } = request;
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const path = request.url ?? '';
  const model = /models\/([^:]+):generateContent/.exec(path)?.[1] ?? '';
  return { path, model, headers, body: JSON.parse(Buffer.concat(chunks).toString() || '{}') };
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

export interface ReplyOptions {
  finishReason?: string;
  modelVersion?: string;
  usage?: Record<string, number | string>;
  continuationToken?: string;
  headers?: Record<string, string>;
}

/** A finished answer, its tokens counted. */
export function answer(text: string, options: ReplyOptions = {}): Script {
  return (response, call) => {
    for (const [name, value] of Object.entries(options.headers ?? {})) response.setHeader(name, value);
    send(response, 200, {
      candidates: [
        {
          content: { role: 'model', parts: [{ text }] },
          finishReason: options.finishReason ?? 'STOP',
          index: 0,
          ...(options.continuationToken === undefined ? {} : { continuationToken: options.continuationToken }),
        },
      ],
      usageMetadata: options.usage ?? { promptTokenCount: 1000, candidatesTokenCount: 200, totalTokenCount: 1200 },
      modelVersion: options.modelVersion ?? call.model,
      responseId: 'response',
    });
  };
}

export function blockedPrompt(reason = 'PROHIBITED_CONTENT'): Script {
  return (response, call) =>
    send(response, 200, {
      promptFeedback: { blockReason: reason },
      usageMetadata: { promptTokenCount: 1000, totalTokenCount: 1000 },
      modelVersion: call.model,
    });
}

/** An error as the API words it. */
export function status(code: number, error: { status?: string; message?: string; details?: unknown[] }): Script {
  return (response) => send(response, code, { error: { code, ...error } });
}

export function rateLimited(retryDelay?: string): Script {
  const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }];
  return status(429, { status: 'RESOURCE_EXHAUSTED', ...(retryDelay === undefined ? {} : { details }) });
}

export function dailyQuota(): Script {
  return status(429, {
    status: 'RESOURCE_EXHAUSTED',
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
        violations: [{ quotaId: 'GenerateRequestsPerDayPerProjectPerModel' }],
      },
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1s' },
    ],
  });
}

/** The connection breaks before a byte of the answer. */
export const socketReset: Script = (response) => {
  response.socket?.destroy();
};

/** The connection breaks within the answer. */
export const socketResetWithin: Script = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"candidates":', () => response.socket?.destroy());
};

/** No answer ever. */
export const silence: Script = () => {};

/** 200 with a body that is no JSON. */
export const garbage: Script = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end('<html>service page</html>');
};

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
