/** Why a verdict is what it is: stands beside it in the dataset. */

/** The pair is not to be trusted. */
export const failReasons = {
  not_supported: 'the cited turns do not settle the question, or not in this way',
  wrong_answer: 'whoever read the cited turns gave another answer',
  single_turn: 'one of its two cited turns alone answers it',
  needs_fewer: 'it can be answered without one of its cited turns',
  not_well_posed: 'the question can be understood in several ways, or gives its answer away',
  not_time_valid: 'the answer was true at another time than the one that is asked about',
} as const;
export type FailReason = keyof typeof failReasons;

/** Nobody was asked. */
export const unseenReasons = {
  clipped: 'a cited turn was shortened: what is left of it decides nothing',
  too_large: 'its cited turns, with each of them left out once, are more than a model is sent at once',
} as const;
export type UnseenReason = keyof typeof unseenReasons;

/** There is no usable answer: to be asked again, and never a fail. */
export const errorReasons = {
  truncated: 'the model ran out of output tokens',
  blocked: 'the model or its provider refused to answer',
  empty: 'the model answered nothing',
  unparsable: 'the model’s answer is not of the asked form',
  missing: 'the model left the pair, or a part of it, out',
  refused: 'the provider does not take the question',
} as const;
export type ErrorReason = keyof typeof errorReasons;
