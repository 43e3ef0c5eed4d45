/**
 * What happens to personal data before a model or a sink sees it. Only `off` exists so far, and it has to be said in
 * words: without it nothing is sent to a model (P7).
 */
import { exitCodes, type OperatorError, park, stop } from '../errors.ts';
import type { CompilerVersion, Trajectory, Turn } from '../records.ts';

export const redactModes = ['off'] as const;
export type RedactMode = (typeof redactModes)[number];

export interface RedactPolicy {
  /** Null where the setting was left alone. */
  mode: RedactMode | null;
}

export interface Redactor {
  /** Part of the compiler version: another policy makes other text. */
  readonly name: string;
  /** The trajectory as models and sinks may see it. Whatever it throws parks the trajectory. */
  redact(trajectory: Trajectory): Trajectory;
}

/**
 * @throws OperatorError `redaction_missing` (stop, exit code 3) where a tier that sends text to a model is asked for
 * and redaction was not switched off in words.
 */
export function createRedactor(policy: RedactPolicy, tier: CompilerVersion['tier']): Redactor {
  if (tier !== 'rules' && policy.mode !== 'off') {
    throw stop(
      'redaction_missing',
      `compile.tier ${tier} sends the text of your audit log to a model, and this version cannot redact it: set redact.mode to off (TC_REDACT_MODE=off) if that text may leave this machine as it is, or compile.tier to rules, which sends nothing`,
      { exitCode: exitCodes.configuration },
    );
  }
  return { name: 'off', redact: (trajectory) => trajectory };
}

/** Fails closed: a trajectory that could not be redacted is set aside, never sent. */
export function redactOrPark(redactor: Redactor, trajectory: Trajectory): Trajectory {
  try {
    return withDigestsOf(trajectory, redactor.redact(trajectory));
  } catch (error) {
    throw refusal(trajectory, error);
  }
}

/** The text that they are of is gone, and their key is not here: no redactor can make them again. */
function withDigestsOf({ turns }: Trajectory, redacted: Trajectory): Trajectory {
  if (redacted.turns === turns) return redacted;
  if (redacted.turns.length !== turns.length) throw new Error('redaction changed the number of turns');
  const kept = redacted.turns.map(({ digest: _, ...turn }, index): Turn => {
    const digest = turns[index]?.digest;
    return digest === undefined ? turn : { ...turn, digest };
  });
  return { ...redacted, turns: kept };
}

function refusal(trajectory: Trajectory, cause: unknown): OperatorError {
  return park(
    'redaction_failed',
    `trajectory ${trajectory.id} could not be redacted and was sent nowhere: it waits among the dead letters (dlq list), and dlq requeue puts it back`,
    { cause },
  );
}
