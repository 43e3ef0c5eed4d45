/** What happens to personal data and secrets before a model or a sink sees them (P7). */
import { OperatorError, park } from '../../errors.ts';
import type { Trajectory, Turn } from '../../records.ts';
import type { Kind } from './kinds.ts';

export interface Redacted {
  trajectory: Trajectory;
  /** Values that were replaced, each as often as it stood there. */
  counts: Partial<Record<Kind, number>>;
}

export interface Redactor {
  /** Part of the compiler version: another policy makes other text. */
  readonly name: string;
  /** The trajectory as models and sinks may see it. Whatever it throws that is no OperatorError parks the trajectory. */
  redact(trajectory: Trajectory): Promise<Redacted>;
  /** Kinds that stand in a text for certain although it was redacted: it must go nowhere. Kinds that are kept are none. */
  leaks(text: string): Kind[];
  /** Text that a model wrote, as it may be stored: what is found in it is replaced. JSON text stays JSON. */
  scrub(text: string): string;
  close(): Promise<void>;
}

/** `redact.mode: off`: said in words, every text is stored and sent as it is. */
export const noRedaction: Redactor = {
  name: 'off',
  redact: async (trajectory) => ({ trajectory, counts: {} }),
  leaks: () => [],
  scrub: (text) => text,
  close: async () => {},
};

/** Fails closed: a trajectory that could not be redacted is set aside, never sent. */
export async function redactOrPark(redactor: Redactor, trajectory: Trajectory): Promise<Redacted> {
  try {
    const { trajectory: redacted, counts } = await redactor.redact(trajectory);
    return { trajectory: withDigestsOf(trajectory, redacted), counts };
  } catch (error) {
    // A store that is away is no fault of the trajectory.
    if (error instanceof OperatorError) throw error;
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
