/** The contract of whoever looks at pairs a second time. */
import type { ModelCall, QaPair, Verification } from '../../records.ts';
import type { SegmentView } from '../compiler.ts';

export interface Verdicts {
  /** One for each pair, in their order. */
  verdicts: Verification[];
  calls: ModelCall[];
}

export interface Verifier {
  /** Names prompt version and model: verdicts of another version can be asked for again. */
  readonly version: string;
  /**
   * Pairs that passed the gates, all of one segment. An answer that can't be used gives `error`, never `fail`.
   *
   * @throws OperatorError as the door does: what passes by itself is tried again by the topic, the recorded answers of
   * the compile are used again then.
   */
  verify(
    pairs: readonly QaPair[],
    view: SegmentView,
    signal: AbortSignal,
    options?: { fresh?: boolean },
  ): Promise<Verdicts>;
}
