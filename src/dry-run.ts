/** What a model would be sent, word for word, and is not: of sessions that no model has been over, longest first. */
import type { SegmentView } from './compile/compiler.ts';
import { requestFor } from './compile/prompt.ts';
import { type Redactor, redactOrPark } from './compile/redact/redactor.ts';
import { segmentTrajectory } from './compile/segment.ts';
import type { Config } from './config.ts';
import { printable } from './dataset/terminal.ts';
import { existingTrajectories } from './estimate/samples.ts';
import { openLog, sessionsToCompile } from './existing-log.ts';
import type { Logger } from './log.ts';

export interface DryRequest {
  sessionId: string;
  trajectoryId: string;
  /** 0-based in the trajectory, both ends included. */
  firstTurn: number;
  lastTurn: number;
  system: string;
  prompt: string;
  /** JSON Schema of the answer. */
  schema: Record<string, unknown>;
  maxOutputTokens: number;
  /** Values that were redacted in its trajectory, by kind. */
  redactions: Record<string, number>;
  /** Kinds that stand in the prompt for certain although it was redacted: it would not be sent. */
  leaks: string[];
}

export interface DryRunOptions {
  config: Config;
  redactor: Redactor;
  /** Sessions. */
  limit: number;
  log: Logger;
}

/** As many as a model is asked for. */
const maxPairs = 5;
/** Of fewer turns no pair can be made, so they are sent nowhere. */
const minEvidenceTurns = 3;

/**
 * Coverage and budget may still leave some of it out. Reads the table only; the redactor remembers its placeholders.
 *
 * @throws OperatorError where the table can't be read; `redaction_failed` (park) where a trajectory can't be redacted.
 */
export async function* dryRun({ config, redactor, limit, log }: DryRunOptions): AsyncGenerator<DryRequest> {
  const sessions = await sessionsToCompile(config, limit, log);
  const { reader, readClock } = await openLog(config, log);
  try {
    for await (const original of existingTrajectories(config, reader, await readClock(), sessions)) {
      const { trajectory, counts } = await redactOrPark(redactor, original);
      for (const view of segmentTrajectory(trajectory, { windowTokens: config['compile.windowTokens'] })) {
        if (view.turns.filter(({ bearsEvidence }) => bearsEvidence).length < minEvidenceTurns) continue;
        yield { ...dryRequest(view, redactor), redactions: counts };
      }
    }
  } finally {
    await reader.close();
  }
}

function dryRequest(view: SegmentView, redactor: Redactor): Omit<DryRequest, 'redactions'> {
  const { sessionId, trajectoryId, firstTurn, lastTurn } = view.segment;
  const request = requestFor(view, maxPairs);
  return { sessionId, trajectoryId, firstTurn, lastTurn, ...request, leaks: redactor.leaks(request.prompt) };
}

/** As a person reads it, without what would steer a terminal; the request itself has it to the byte. */
export function renderDryRequest(request: DryRequest): string {
  const { sessionId, firstTurn, lastTurn, system, prompt, schema, maxOutputTokens, redactions, leaks } = request;
  const masked = Object.entries(redactions).map(([kind, count]) => `${kind} ${count}`);
  return [
    `--- session ${printable(sessionId)}, turns ${firstTurn} to ${lastTurn}, at most ${maxOutputTokens} tokens of answer`,
    `--- redacted: ${masked.length === 0 ? 'nothing' : masked.join(', ')}`,
    ...(leaks.length === 0 ? [] : [`--- would not be sent: it still holds ${leaks.join(', ')}`]),
    '--- system',
    system,
    '--- prompt',
    printable(prompt),
    '--- schema of the answer',
    JSON.stringify(schema),
    '',
  ].join('\n');
}
