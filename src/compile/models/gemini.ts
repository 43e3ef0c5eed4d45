/** Gemini through the provider's SDK, one attempt a call: retries, time limits and records are the door's. */
import {
  type GenerateContentConfig,
  type GenerateContentResponse,
  GoogleGenAI,
  ServiceTier,
  type ThinkingLevel,
} from '@google/genai';
import { exitCodes, stop } from '../../errors.ts';
import { capabilityOf } from './capabilities.ts';
import { explainGemini } from './gemini-errors.ts';
import type { Model, ModelReply, ModelRequest } from './model.ts';

export interface GeminiOptions {
  apiKey: string | null;
  model: string;
  /** Another address that speaks the same protocol. */
  baseUrl?: string | null;
  /** `flex` costs half and may take minutes. */
  serviceTier?: 'standard' | 'flex';
}

// Said outright, since the SDK would otherwise take an address from the environment.
const defaultBaseUrl = 'https://generativelanguage.googleapis.com/';

/** @throws OperatorError `model_key_missing` (stop, exit code 3) where there is no key. */
export function createGemini(options: GeminiOptions): Model {
  const { apiKey, model, serviceTier = 'standard' } = options;
  if (apiKey === null || apiKey.trim() === '') {
    throw stop(
      'model_key_missing',
      `${model} needs a key of the Gemini API: set GEMINI_API_KEY (or TC_GEMINI_API_KEY, or TC_GEMINI_API_KEY_FILE), or set compile.tier to rules`,
      { exitCode: exitCodes.configuration },
    );
  }
  const client = new GoogleGenAI({
    apiKey: apiKey.trim(),
    vertexai: false,
    httpOptions: { baseUrl: options.baseUrl ?? defaultBaseUrl, retryOptions: { attempts: 1 } },
  });
  const thinking = thinkingOf(model);
  return {
    provider: 'gemini',
    name: model,
    serviceTier,
    settings: JSON.stringify({ thinking }),
    async generate(request, signal) {
      const config = {
        ...configOf(request, signal),
        ...thinking,
        ...(serviceTier === 'flex' ? { serviceTier: ServiceTier.FLEX } : {}),
      };
      try {
        return replyOf(await client.models.generateContent({ model, contents: request.prompt, config }));
      } catch (error) {
        // An abort and a time limit look alike from here: the door knows which signal it was.
        signal.throwIfAborted();
        throw explainGemini(error, model);
      }
    },
  };
}

function configOf(request: ModelRequest, abortSignal: AbortSignal): GenerateContentConfig {
  return {
    systemInstruction: request.system,
    responseMimeType: 'application/json',
    responseJsonSchema: request.schema,
    maxOutputTokens: request.maxOutputTokens,
    // Left on, a second request would follow by itself, and the tokens of the first be lost if the second failed.
    automaticContinuation: false,
    abortSignal,
  };
}

function thinkingOf(model: string): GenerateContentConfig {
  const { thinking } = capabilityOf(model);
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
    usage: {
      promptTokens: countOrNull(usage?.promptTokenCount),
      // Absent where nothing was cached or thought, so 0 as soon as there is any usage.
      cachedTokens: countOrNull(usage?.cachedContentTokenCount) ?? (usage === undefined ? null : 0),
      outputTokens: countOrNull(usage?.candidatesTokenCount) ?? (usage === undefined ? null : 0),
      thinkingTokens: countOrNull(usage?.thoughtsTokenCount) ?? (usage === undefined ? null : 0),
    },
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function countOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
