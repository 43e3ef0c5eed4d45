/**
 * Models behind a server that speaks the OpenAI protocol (Ollama, vLLM, llama.cpp, OpenRouter), one attempt a call:
 * retries, time limits and records are the door's.
 */
import { exitCodes, stop } from '../../errors.ts';
import { type Capability, capabilityOf } from './capabilities.ts';
import { connectionFault } from './faults.ts';
import { maxAnswerBytes, type PostAnswer, post, refuseMalformedKey } from './http-post.ts';
import { type Billing, type Model, ModelFault, type ModelReply, type ModelRequest } from './model.ts';
import { explainOpenAi } from './openai-errors.ts';
import { addUsage, readCompletion, replyOf } from './openai-wire.ts';
import { orAborted } from './or-aborted.ts';
import { isPrivateHost } from './private-address.ts';
import {
  isObject,
  type OutputMode,
  obeysSchema,
  objectProbeRequest,
  probeRequest,
  responseFormat,
  systemFor,
} from './structured-output.ts';
import { isTruncated, mostTokens } from './tokens.ts';

export interface OpenAiOptions {
  /** Such as `http://127.0.0.1:11434/v1`. */
  baseUrl: string | null;
  apiKey: string | null;
  model: string;
  /** Null: nothing where the server is of this machine or its network, else by price. */
  usdPerHour: number | null;
  maxAnswerBytes?: number;
  now?: () => Date;
}

/** @throws OperatorError `model_address_missing`, `model_key_malformed` (stop, exit code 3) where there is no address, or it or the key is none. */
export function createOpenAiCompatible(options: OpenAiOptions): Model {
  const { model } = options;
  const base = addressOf(options);
  refuseMalformedKey(options.apiKey ?? '', 'openai.apiKey (TC_OPENAI_API_KEY)');
  const capability = capabilityOf(model);
  const server = createServer(base, capability, options);
  let mode: OutputMode | null = null;
  /** The probe that is under way: others wait for what it shows. */
  let probing: Promise<unknown> = Promise.resolve();
  /** What probes cost, until an answer takes it to its account. */
  let owed: Pick<ModelReply, 'usage' | 'costUsd'> | null = null;

  async function modeOf(signal: AbortSignal): Promise<OutputMode> {
    if (mode !== null) return mode;
    const mine = probing.then(async () => {
      mode ??= await probe(signal);
      return mode;
    });
    probing = mine.catch(() => {});
    return orAborted(mine, signal);
  }

  async function probe(signal: AbortSignal): Promise<OutputMode> {
    if (await shows('json_schema', probeRequest, obeysSchema, signal)) return 'json_schema';
    if (await shows('json_object', objectProbeRequest, isObject, signal)) return 'json_object';
    return 'prompt';
  }

  /** A server that refuses the mode does not have it; any other failure is one of the call. */
  async function shows(
    tried: OutputMode,
    request: ModelRequest,
    test: (reply: ModelReply) => boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    try {
      signal.throwIfAborted();
      const reply = await server.ask(request, tried, signal);
      owed = owed === null ? reply : together(owed, reply);
      return test(reply);
    } catch (error) {
      if (error instanceof ModelFault && error.outcome === 'request_refused') return false;
      throw error;
    }
  }

  return {
    provider: 'openai-compatible',
    name: model,
    serviceTier: 'standard',
    settings: JSON.stringify({ thinking: capability.thinking }),
    billing: billingOf(base, options),
    mostTokens(request) {
      const asked = [request, ...(mode === null ? [probeRequest, objectProbeRequest] : [])].map((each) => ({
        input: mostTokens(each).input,
        output: outputLimit(each, capability),
      }));
      const most = asked.reduce((a, b) => ({ input: a.input + b.input, output: a.output + b.output }));
      return { input: most.input, output: most.output + capability.thinkingTokens };
    },
    async generate(request, signal) {
      const reply = await server.ask(request, await modeOf(signal), signal);
      const { promptTokens } = reply.usage;
      const whole = owed === null ? reply : { ...reply, ...together(owed, reply) };
      owed = null;
      if (promptTokens !== null && isTruncated(request, promptTokens)) throw truncated(whole, promptTokens, model);
      return whole;
    },
  };
}

type Billed = Pick<ModelReply, 'usage' | 'costUsd'>;

function together(a: Billed, b: Billed): Billed {
  const costUsd = typeof a.costUsd === 'number' && typeof b.costUsd === 'number' ? a.costUsd + b.costUsd : null;
  return { usage: addUsage(a.usage, b.usage), costUsd };
}

function truncated(reply: ModelReply, promptTokens: number, model: string): ModelFault {
  const message = `the server of ${model} read only ${promptTokens} tokens of a longer prompt and said nothing: raise its context (OLLAMA_CONTEXT_LENGTH for Ollama) or lower compile.windowTokens`;
  return new ModelFault('prompt_truncated', message, { kind: 'stop', mayBeBilled: true, reply });
}

function addressOf({ baseUrl, model }: OpenAiOptions): URL {
  const url = baseUrl !== null && URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url;
  throw stop(
    'model_address_missing',
    `${model} needs the address of its server: set openai.baseUrl to a URL such as http://127.0.0.1:11434/v1`,
    { exitCode: exitCodes.configuration },
  );
}

function billingOf(base: URL, { usdPerHour }: OpenAiOptions): Billing {
  return { usdPerHour, local: isPrivateHost(base), list: { providerApiUrl: `${base.origin}${base.pathname}` } };
}

function outputLimit({ maxOutputTokens }: ModelRequest, { thinkingTokens, maxOutputTokens: most }: Capability) {
  return Math.min(maxOutputTokens + thinkingTokens, most);
}

/** The server: one request, one answer. */
function createServer(base: URL, capability: Capability, options: OpenAiOptions) {
  const { model, apiKey, now = () => new Date(), maxAnswerBytes: maxBytes = maxAnswerBytes } = options;
  const address = new URL(base);
  address.pathname = `${base.pathname.replace(/\/+$/, '')}/chat/completions`;
  const where = `the server at ${base.host}`;
  const key = apiKey?.trim();
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json',
    'user-agent': 'trajectory-compiler',
    ...(key ? { authorization: `Bearer ${key}` } : {}),
  };
  const { thinking } = capability;

  function bodyOf(request: ModelRequest, mode: OutputMode): Record<string, unknown> {
    return {
      model,
      messages: [
        { role: 'system', content: systemFor(mode, request) },
        { role: 'user', content: request.prompt },
      ],
      [capability.outputLimit]: outputLimit(request, capability),
      stream: false,
      ...responseFormat(mode, request.schema),
      ...(thinking !== null && 'effort' in thinking ? { reasoning_effort: thinking.effort } : {}),
      // Only there: others may refuse what they do not know.
      ...(base.hostname === 'openrouter.ai' ? { usage: { include: true } } : {}),
    };
  }

  async function ask(request: ModelRequest, mode: OutputMode, signal: AbortSignal): Promise<ModelReply> {
    const answer = await send(JSON.stringify(bodyOf(request, mode)), signal);
    if (answer.status !== 200) throw explainOpenAi(answer, { model, where, now: now() });
    const completion = readCompletion(answer.text);
    if (completion === null)
      throw new ModelFault('garbled', `${where} gave an answer that is no chat completion`, {
        kind: 'retry',
        mayBeBilled: true,
      });
    if (completion.error != null) throw explainOpenAi(answer, { model, where, now: now() });
    return replyOf(completion);
  }

  async function send(body: string, signal: AbortSignal): Promise<PostAnswer> {
    try {
      return await post(address, { headers, body, signal, maxBytes });
    } catch (error) {
      // Whether it was given up or took too long, the door knows.
      signal.throwIfAborted();
      throw connectionFault(error, where);
    }
  }
  return { ask };
}
