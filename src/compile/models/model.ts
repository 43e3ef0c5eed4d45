/** The contract of a model, whichever provider serves it. */
import type { ErrorKind } from '../../errors.ts';

export interface ModelRequest {
  /** The fixed part: the same for every segment, so that providers can cache it. */
  system: string;
  prompt: string;
  /** JSON Schema of the answer, plain keywords only. */
  schema: Record<string, unknown>;
  /** Of the answer itself; what a model thinks before it comes on top. */
  maxOutputTokens: number;
  /** Room for thoughts where it is to be less than the model's own. */
  maxThinkingTokens?: number;
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
  /** The service tier that answered, where the provider says so: it may be another than the one that was asked. */
  serviceTier?: string | null;
  /** US dollars, where the provider says what it bills. */
  costUsd?: number | null;
}

/** How calls of a model are billed. */
export interface Billing {
  /** US dollars an hour, whatever is asked. */
  usdPerHour: number | null;
  /** Served by this machine or its network: nothing is billed. */
  local: boolean;
  /** Whose list prices hold. */
  list: { providerId: string } | { providerApiUrl: string };
}

export interface Model {
  readonly provider: string;
  /** As requested. */
  readonly name: string;
  /** The one that is asked first. */
  readonly serviceTier: string;
  /** JSON text of what else decides the answer, part of an answer's key. */
  readonly settings: string;
  /** By tokens, at the list prices of `provider`, where it is not given. */
  readonly billing?: Billing;
  /** Tokens that one call may be billed for at most. */
  mostTokens?(request: ModelRequest): { input: number; output: number };
  /** One attempt. Throws {@link ModelFault}, or the signal's reason where the signal fired. */
  generate(request: ModelRequest, signal: AbortSignal, options?: { serviceTier?: string }): Promise<ModelReply>;
}

export interface FaultDetails {
  kind: ErrorKind;
  /** False: the provider does not bill such a failure. True: it may have. */
  mayBeBilled: boolean;
  /** Milliseconds that the provider asked to wait. */
  retryAfterMs?: number | undefined;
  /** Of a `stop`: from when on it may go by itself. */
  resumeAt?: Date | undefined;
  /** Where an answer came and is of no use: what it cost. */
  reply?: ModelReply | undefined;
}

/** Why one attempt gave no answer, classified by who knows the provider. Holds no prompt and no key. */
export class ModelFault extends Error {
  readonly outcome: string;
  readonly kind: ErrorKind;
  readonly mayBeBilled: boolean;
  readonly retryAfterMs: number | undefined;
  readonly resumeAt: Date | undefined;
  readonly reply: ModelReply | undefined;

  constructor(outcome: string, message: string, details: FaultDetails) {
    super(message);
    this.name = 'ModelFault';
    this.outcome = outcome;
    this.kind = details.kind;
    this.mayBeBilled = details.mayBeBilled;
    this.retryAfterMs = details.retryAfterMs;
    this.resumeAt = details.resumeAt;
    this.reply = details.reply;
  }
}
