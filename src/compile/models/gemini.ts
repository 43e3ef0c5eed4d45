/** Gemini through the provider's SDK, one attempt a call: retries, time limits and records are the door's. */
import {
  type GenerateContentConfig,
  type GenerateContentResponse,
  GoogleGenAI,
  type GoogleGenAIOptions,
  ServiceTier,
  type ThinkingLevel,
} from '@google/genai';
import { exitCodes, stop } from '../../errors.ts';
import { type Capability, capabilityOf } from './capabilities.ts';
import { explainGemini, geminiApi, vertexApi, type Way } from './gemini-errors.ts';
import { postAsFetch, refuseMalformedKey } from './http-post.ts';
import type { Model, ModelReply, ModelRequest } from './model.ts';
import { mostTokens } from './tokens.ts';

interface Common {
  model: string;
  /** Another address that speaks the same protocol. */
  baseUrl?: string | null;
  /** `flex` costs half and may take minutes. */
  serviceTier?: 'standard' | 'flex';
  now?: () => Date;
}

export interface GeminiOptions extends Common {
  apiKey: string | null;
}

export interface VertexOptions extends Common {
  project: string | null;
  /** `global`, or a region such as `europe-west2`. */
  location: string;
  /** In place of the credentials that Google's libraries find by themselves. */
  googleAuthOptions?: NonNullable<GoogleGenAIOptions['googleAuthOptions']> | undefined;
}

// Said outright, since the SDK would otherwise take an address from the environment.
export const geminiAddress = 'https://generativelanguage.googleapis.com/';

/** @throws OperatorError `model_key_missing`, `model_key_malformed` (stop, exit code 3) where there is no key, or it can be none. */
export function createGemini(options: GeminiOptions): Model {
  const { apiKey, model } = options;
  if (apiKey === null || apiKey.trim() === '') {
    throw stop(
      'model_key_missing',
      `${model} needs a key of the Gemini API: set GEMINI_API_KEY (or TC_GEMINI_API_KEY, or TC_GEMINI_API_KEY_FILE), or set compile.tier to rules`,
      { exitCode: exitCodes.configuration },
    );
  }
  refuseMalformedKey(apiKey, 'gemini.apiKey (TC_GEMINI_API_KEY or GEMINI_API_KEY)');
  const client = new GoogleGenAI({
    apiKey: apiKey.trim(),
    vertexai: false,
    httpOptions: httpOptions(options.baseUrl ?? geminiAddress),
  });
  return served(client, 'gemini', geminiApi, options);
}

/** @throws OperatorError `model_project_missing` (stop, exit code 3) where there is no project. */
export function createVertex(options: VertexOptions): Model {
  const { project, location, googleAuthOptions } = options;
  if (project === null || project.trim() === '') {
    throw stop(
      'model_project_missing',
      `${options.model} on Vertex AI needs a project: set vertex.project, and vertex.location to where it is to run`,
      { exitCode: exitCodes.configuration },
    );
  }
  const client = withoutEnvironment(
    () =>
      new GoogleGenAI({
        vertexai: true,
        project: project.trim(),
        location,
        httpOptions: httpOptions(options.baseUrl ?? vertexAddress(location)),
        ...(googleAuthOptions === undefined ? {} : { googleAuthOptions }),
      }),
  );
  return served(client, 'vertex', vertexApi, options);
}

function httpOptions(baseUrl: string) {
  return { baseUrl, retryOptions: { attempts: 1 }, fetch: postAsFetch };
}

/** https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations */
export function vertexAddress(location: string): string {
  if (location === 'global') return 'https://aiplatform.googleapis.com/';
  if (location === 'eu' || location === 'us') return `https://aiplatform.${location}.rep.googleapis.com/`;
  return `https://${location}-aiplatform.googleapis.com/`;
}

/** The SDK writes to standard output about a key that it finds and does not use. */
export function withoutEnvironment<T>(work: () => T): T {
  const found = ['GOOGLE_API_KEY', 'GEMINI_API_KEY'].map((name) => [name, process.env[name]] as const);
  try {
    for (const [name] of found) delete process.env[name];
    return work();
  } finally {
    for (const [name, value] of found) if (value !== undefined) process.env[name] = value;
  }
}

function served(client: GoogleGenAI, provider: 'gemini' | 'vertex', way: Way, options: Common): Model {
  const { model, now = () => new Date() } = options;
  const capability = capabilityOf(model);
  const first = options.serviceTier === 'flex' && capability.flex ? 'flex' : 'standard';
  const thinking = thinkingOf(capability);
  return {
    provider,
    name: model,
    serviceTier: first,
    settings: JSON.stringify({ thinking }),
    billing: { usdPerHour: null, local: false, list: { providerId: 'google' } },
    mostTokens(request) {
      // Thoughts are held to the limit of output only by and large.
      const { input } = mostTokens(request);
      return { input, output: outputLimit(request, capability) + thinkingRoom(request, capability) };
    },
    async generate(request, signal, { serviceTier = first } = {}) {
      const config = {
        ...configOf(request, capability, signal),
        ...thinking,
        ...(serviceTier === 'flex' ? flexOf(provider) : {}),
      };
      try {
        return replyOf(await client.models.generateContent({ model, contents: request.prompt, config }));
      } catch (error) {
        // An abort and a time limit look alike from here: the door knows which signal it was.
        signal.throwIfAborted();
        throw explainGemini(error, model, way, now());
      }
    },
  };
}

/** Vertex AI is asked in a header. https://cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo */
function flexOf(provider: 'gemini' | 'vertex'): GenerateContentConfig {
  if (provider === 'gemini') return { serviceTier: ServiceTier.FLEX };
  return { httpOptions: { headers: { 'X-Vertex-AI-LLM-Shared-Request-Type': 'flex' } } };
}

/** What a model thinks counts as output: without room for it there would be none left for the answer. */
function outputLimit(request: ModelRequest, capability: Capability): number {
  return Math.min(request.maxOutputTokens + thinkingRoom(request, capability), capability.maxOutputTokens);
}

function thinkingRoom({ maxThinkingTokens }: ModelRequest, { thinkingTokens }: Capability): number {
  return Math.min(thinkingTokens, maxThinkingTokens ?? thinkingTokens);
}

function configOf(request: ModelRequest, capability: Capability, abortSignal: AbortSignal): GenerateContentConfig {
  return {
    systemInstruction: request.system,
    responseMimeType: 'application/json',
    responseJsonSchema: request.schema,
    maxOutputTokens: outputLimit(request, capability),
    // Left on, a second request would follow by itself, and the tokens of the first be lost if the second failed.
    automaticContinuation: false,
    abortSignal,
  };
}

function thinkingOf({ thinking }: Capability): GenerateContentConfig {
  if (thinking === null || 'effort' in thinking) return {};
  return 'level' in thinking
    ? { thinkingConfig: { thinkingLevel: thinking.level as ThinkingLevel } }
    : { thinkingConfig: { thinkingBudget: thinking.budget } };
}

function replyOf(response: GenerateContentResponse): ModelReply {
  const candidate = response.candidates?.[0];
  const usage = response.usageMetadata;
  // Not `response.text`: that getter writes to the console where a part is no text.
  const parts = Array.isArray(candidate?.content?.parts) ? candidate.content.parts : [];
  return {
    text: parts.map((part) => (part.thought !== true && typeof part.text === 'string' ? part.text : '')).join(''),
    model: textOrNull(response.modelVersion)?.replace(/^models\//, '') ?? null,
    finishReason: textOrNull(candidate?.finishReason),
    blockReason: textOrNull(response.promptFeedback?.blockReason),
    serviceTier: tierOf(response),
    usage: {
      promptTokens: countOrNull(usage?.promptTokenCount),
      // Absent where nothing was cached or thought, so 0 as soon as there is any usage.
      cachedTokens: countOrNull(usage?.cachedContentTokenCount) ?? (usage === undefined ? null : 0),
      outputTokens: countOrNull(usage?.candidatesTokenCount) ?? (usage === undefined ? null : 0),
      thinkingTokens: countOrNull(usage?.thoughtsTokenCount) ?? (usage === undefined ? null : 0),
    },
  };
}

/**
 * The tier that answered, which is the one that is billed: a request for the flex tier may be moved to the standard one.
 * The Gemini API tells it in the usage or in a header, Vertex AI as its kind of traffic.
 */
function tierOf({ usageMetadata, sdkHttpResponse }: GenerateContentResponse): string | null {
  const { serviceTier, trafficType } = (usageMetadata ?? {}) as { serviceTier?: unknown; trafficType?: unknown };
  const said = textOrNull(serviceTier) ?? textOrNull(sdkHttpResponse?.headers?.['x-gemini-service-tier']);
  const tier = said?.toLowerCase();
  if (tier === 'flex' || tier === 'standard' || tier === 'priority') return tier;
  if (trafficType === 'ON_DEMAND_FLEX') return 'flex';
  return trafficType === 'ON_DEMAND' ? 'standard' : null;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function countOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
