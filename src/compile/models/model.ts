/** The contract of a model, whichever provider serves it. */
import type { ErrorKind } from '../../errors.ts';

export interface ModelRequest {
  /** The fixed part: the same for every segment, so that providers can cache it. */
  system: string;
  prompt: string;
  /** JSON Schema of the answer, plain keywords only. */
  schema: Record<string, unknown>;
  maxOutputTokens: number;
}

/** Tokens as billed; null where the provider did not say. */
export interface Usage {
  /** Includes `cachedTokens`. */
  promptTokens: number | null;
  cachedTokens: number | null;
  /** Excludes `thinkingTokens`. */
  outputTokens: number | null;
  thinkingTokens: number | null;
}

export const noUsage: Usage = { promptTokens: null, cachedTokens: null, outputTokens: null, thinkingTokens: null };

export interface ModelReply {
  /** Thoughts left out; empty where there is none. */
  text: string;
  /** The model that answered, as the provider names it. */
  model: string | null;
  /** `STOP`, `MAX_TOKENS`, `SAFETY`, … or null where the provider gave none. */
  finishReason: string | null;
  /** Why the prompt was refused, where it was. */
  blockReason: string | null;
  usage: Usage;
}

export interface Model {
  readonly provider: string;
  /** As requested. */
  readonly name: string;
  readonly serviceTier: string;
  /** JSON text of what else decides the answer, part of an answer's key. */
  readonly settings: string;
  /** One attempt. Throws {@link ModelFault}, or the signal's reason where the signal fired. */
  generate(request: ModelRequest, signal: AbortSignal): Promise<ModelReply>;
}

/** Why one attempt gave no answer, classified by who knows the provider. Holds no prompt and no key. */
export class ModelFault extends Error {
  readonly outcome: string;
  readonly kind: ErrorKind;
  /** False: the provider does not bill such a failure. True: it may have. */
  readonly mayBeBilled: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(
    outcome: string,
    message: string,
    details: { kind: ErrorKind; mayBeBilled: boolean; retryAfterMs?: number | undefined },
  ) {
    super(message);
    this.name = 'ModelFault';
    this.outcome = outcome;
    this.kind = details.kind;
    this.mayBeBilled = details.mayBeBilled;
    this.retryAfterMs = details.retryAfterMs;
  }
}
