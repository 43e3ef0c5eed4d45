/**
 * The wire form of chat completions, as far as it is the same everywhere: Ollama, vLLM, llama.cpp, OpenRouter.
 * https://platform.openai.com/docs/api-reference/chat
 */
import { z } from 'zod';
import type { ModelReply, Usage } from './model.ts';

const count = z.int().nonnegative().nullish().catch(null);

const usageSchema = z.object({
  prompt_tokens: count,
  completion_tokens: count,
  prompt_tokens_details: z.object({ cached_tokens: count }).nullish().catch(null),
  completion_tokens_details: z.object({ reasoning_tokens: count }).nullish().catch(null),
  /** DeepSeek's name for cached tokens. */
  prompt_cache_hit_tokens: count,
  /** OpenRouter: US dollars. */
  cost: z.number().nonnegative().nullish().catch(null),
});

const part = z.object({ type: z.string().optional(), text: z.string().optional() });
const messageSchema = z.object({
  content: z.union([z.string(), z.array(part)]).nullish(),
  refusal: z.string().nullish().catch(null),
});

const completionSchema = z.object({
  model: z.string().nullish().catch(null),
  choices: z
    .array(z.object({ message: messageSchema.nullish(), finish_reason: z.string().nullish().catch(null) }))
    .nullish(),
  usage: usageSchema.nullish().catch(null),
  /** Some servers answer 200 and say here that nothing came of it. */
  error: z.unknown().optional(),
});
export type Completion = z.infer<typeof completionSchema>;

/** Null where the text is no completion. */
export function readCompletion(text: string): Completion | null {
  try {
    return completionSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** As other providers call it. */
const finishReasons: Partial<Record<string, string>> = {
  stop: 'STOP',
  eos: 'STOP',
  eos_token: 'STOP',
  stop_sequence: 'STOP',
  end_turn: 'STOP',
  complete: 'STOP',
  length: 'MAX_TOKENS',
  max_tokens: 'MAX_TOKENS',
  model_length: 'MAX_TOKENS',
  content_filter: 'SAFETY',
};

export function replyOf(completion: Completion): ModelReply {
  const choice = completion.choices?.[0];
  const reason = choice?.finish_reason ?? null;
  const refused = Boolean(choice?.message?.refusal);
  const finishReason = reason === null ? null : (finishReasons[reason.toLowerCase()] ?? reason.toUpperCase());
  return {
    text: withoutThoughts(textOf(choice?.message?.content)),
    model: completion.model || null,
    finishReason: refused ? 'REFUSAL' : finishReason,
    blockReason: null,
    usage: usageOf(completion),
    costUsd: completion.usage?.cost ?? null,
  };
}

function textOf(content: string | { type?: string | undefined; text?: string | undefined }[] | null | undefined) {
  if (typeof content === 'string') return content;
  return (content ?? []).map(({ type, text }) => (type === undefined || type === 'text' ? (text ?? '') : '')).join('');
}

/**
 * Thoughts that stand before the answer. The opening tag may have been part of the prompt; without a closing one there is
 * nothing but thoughts. A tag within the answer is the answer's.
 */
export function withoutThoughts(text: string): string {
  const start = text.trimStart();
  const end = start.indexOf('</think>');
  if (/^<think>/i.test(start)) return end === -1 ? '' : start.slice(end + '</think>'.length);
  if (end === -1 || /^[[{`]/.test(start)) return text;
  return start.slice(end + '</think>'.length);
}

function usageOf({ usage }: Completion): Usage {
  const completed = usage?.completion_tokens ?? null;
  const reasoned = usage?.completion_tokens_details?.reasoning_tokens ?? 0;
  return {
    promptTokens: usage?.prompt_tokens ?? null,
    cachedTokens: usage ? (usage.prompt_tokens_details?.cached_tokens ?? usage.prompt_cache_hit_tokens ?? 0) : null,
    // Some count reasoning within the completion, some beside it.
    outputTokens: completed === null ? null : completed >= reasoned ? completed - reasoned : completed,
    thinkingTokens: usage ? reasoned : null,
  };
}

export function addUsage(a: Usage, b: Usage): Usage {
  const sum = (key: keyof Usage) => (a[key] === null || b[key] === null ? null : a[key] + b[key]);
  return {
    promptTokens: sum('promptTokens'),
    cachedTokens: sum('cachedTokens'),
    outputTokens: sum('outputTokens'),
    thinkingTokens: sum('thinkingTokens'),
  };
}
