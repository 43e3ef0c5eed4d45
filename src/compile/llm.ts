/** The compiler that asks a model. What it proposes is believed no further than the gates can check. */
import type { CompilerVersion } from '../records.ts';
import { type ReadAnswer, readAnswer } from './answer.ts';
import { actingAgent } from './assemble.ts';
import type { Compiler, Proposal, SegmentView } from './compiler.ts';
import type { ModelTier } from './models/capabilities.ts';
import type { Door } from './models/door.ts';
import type { ModelReply } from './models/model.ts';
import { promptVersion, requestFor } from './prompt.ts';
import type { SegmentReason } from './reasons.ts';

export interface LlmOptions {
  door: Door;
  tier: ModelTier;
  /** Name of the redaction policy that the turns went through. */
  redaction: string;
  /** Pairs a segment at most, 1 to 5. */
  maxPairs?: number;
}

export function createLlmCompiler(options: LlmOptions): Compiler {
  const { door, tier, redaction, maxPairs = 5 } = options;
  const version: CompilerVersion = { kind: 'llm', tier, model: door.model.name, promptVersion, redaction };

  async function propose(view: SegmentView, signal: AbortSignal, { fresh = false } = {}): Promise<Proposal> {
    const request = requestFor(view, maxPairs);
    const { id: segmentId, trajectoryId } = view.segment;
    const { reply, calls } = await door.ask(
      { request, segmentId, trajectoryId, agent: actingAgent(view), stage: 'compile' as const, fresh },
      signal,
    );
    const { drafts, malformed, emptyReason, parseMode } = readReply(reply, maxPairs);
    const last = calls.at(-1);
    if (last !== undefined) {
      const outcome = emptyReason === null || emptyReason === 'no_structure' ? last.outcome : emptyReason;
      calls[calls.length - 1] = { ...last, parseMode, outcome: last.outcome === 'reused' ? 'reused' : outcome };
    }
    return { drafts, calls, malformed, emptyReason };
  }
  return { version, propose };
}

/** An answer that was refused or cut is not read at all: what is left of it may look whole. */
function readReply(reply: ModelReply, maxPairs: number): ReadAnswer {
  const nothing = (emptyReason: SegmentReason): ReadAnswer => ({
    drafts: [],
    malformed: [],
    emptyReason,
    parseMode: null,
  });
  if (reply.blockReason !== null) return nothing('blocked');
  if (reply.finishReason === 'MAX_TOKENS') return nothing('truncated');
  if (reply.finishReason !== null && reply.finishReason !== 'STOP') return nothing('blocked');
  return readAnswer(reply.text, maxPairs);
}
