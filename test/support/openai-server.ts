/**
 * A local server that speaks chat completions, with scripted answers and faults. The tiny requests by which a client
 * finds out about structured output are answered by themselves, as `structured` says; what it was sent is kept.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedCompletion {
  path: string;
  authorization: string | undefined;
  body: {
    model: string;
    messages: { role: string; content: string }[];
    response_format?: { type: string; json_schema?: { schema: Record<string, unknown> } };
    [name: string]: unknown;
  };
}

/** Answers one call: writes to the response, or leaves it hanging. */
export type Script = (response: ServerResponse, call: ReceivedCompletion) => void;

/** Holds answers to a schema; takes a schema and ignores it; takes only `json_object`; knows no format at all. */
export type Structured = 'schema' | 'ignored' | 'object' | 'refused';

export interface OpenAiServer {
  /** Ends in `/v1`. */
  readonly baseUrl: string;
  /** Without the probes. */
  readonly received: ReceivedCompletion[];
  readonly probes: ReceivedCompletion[];
  structured: Structured;
  /** What a probe is said to have used. */
  probeUsage: Record<string, unknown>;
  /** What the next calls get, in order; the last one is repeated. */
  play(...scripts: Script[]): void;
  close(): Promise<void>;
}

export async function startOpenAiServer(): Promise<OpenAiServer> {
  let scripts: Script[] = [status(500, {})];
  const server = createServer(async (request, response) => {
    const call = await readCall(request);
    if (isProbe(call)) {
      running.probes.push(call);
      return probed(running)(response, call);
    }
    running.received.push(call);
    const script = scripts.length > 1 ? scripts.shift()! : scripts[0]!;
    script(response, call);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const running: OpenAiServer = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    received: [],
    probes: [],
    structured: 'schema',
    probeUsage: { prompt_tokens: 0, completion_tokens: 0 },
    play: (...next) => {
      scripts = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return running;
}

async function readCall(request: IncomingMessage): Promise<ReceivedCompletion> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { authorization } = request.headers;
  return { path: request.url ?? '', authorization, body: JSON.parse(Buffer.concat(chunks).toString() || '{}') };
}

const isProbe = ({ body }: ReceivedCompletion) =>
  (body.messages ?? []).some(({ content }) => content.startsWith('Greet the reader'));

function probed({ structured, probeUsage: usage }: OpenAiServer): Script {
  return (response, call) => {
    const format = call.body.response_format?.type;
    const held = structured === 'schema' || structured === 'ignored';
    if ((format === 'json_schema' && !held) || (format === 'json_object' && structured === 'refused'))
      return status(400, { message: 'response_format is not supported', type: 'invalid_request_error' })(
        response,
        call,
      );
    if (format === 'json_schema' && structured === 'schema')
      return answer('{"greeting":"heliotrope"}', { usage })(response, call);
    // What a schema that is ignored gives may be JSON all the same.
    answer('{"greeting":"Hello"}', { usage })(response, call);
  };
}

export interface CompletionOptions {
  finishReason?: string | null;
  model?: string;
  usage?: Record<string, unknown> | null;
  refusal?: string;
}

/** A finished answer, its tokens counted. */
export function answer(text: string | null, options: CompletionOptions = {}): Script {
  const { usage = { prompt_tokens: 1000, completion_tokens: 200, total_tokens: 1200 } } = options;
  const { finishReason = 'stop', refusal } = options;
  return (response, call) =>
    send(response, 200, {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      model: options.model ?? call.body.model,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: text, ...(refusal === undefined ? {} : { refusal }) },
          finish_reason: finishReason,
        },
      ],
      ...(usage === null ? {} : { usage }),
    });
}

/** An error as most servers word it. */
export function status(code: number, error: Record<string, unknown>, headers: Record<string, string> = {}): Script {
  return (response) => send(response, code, { error }, headers);
}

export function rateLimited(retryAfter?: string): Script {
  const error = { message: 'Rate limit reached', type: 'requests', code: 'rate_limit_exceeded' };
  return status(429, error, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
}

export function dailyQuota(): Script {
  return status(429, { message: 'Rate limit exceeded: free-models-per-day', code: 429 }, { 'retry-after': '1' });
}

/** A body of any kind. */
export function raw(code: number, body: string, headers: Record<string, string> = {}): Script {
  return (response) => void response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(body);
}

function send(response: ServerResponse, code: number, body: unknown, headers: Record<string, string> = {}): void {
  raw(code, JSON.stringify(body), headers)(response, undefined as never);
}
