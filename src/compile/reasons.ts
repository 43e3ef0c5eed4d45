/** Why a proposed pair was refused or held: labels of `tc_pair_rejections_total` and of the dataset's rejections. */

export const reasons = {
  schema: 'the proposal is not of a pair’s form',
  turns_exist: 'a cited turn is not part of the segment',
  quote_length: 'a quote is shorter than 8 or longer than 300 characters',
  quote_not_found: 'a quote does not stand in the turn that it is ascribed to',
  quote_clipped: 'a quote reaches across text that was left out',
  quote_placeholder: 'a quote is nothing but a placeholder',
  too_few_turns: 'fewer than two turns are needed',
  adjacent: 'the needed turns follow each other directly',
  single_turn: 'one turn alone holds what the question names and the answer',
  adjacent_support: 'two turns that follow each other hold what the question names and the answer',
  thin_evidence: 'the quotes do not come from two turns that stand apart',
  unlinked: 'nothing leads from what the question names to a turn that the answer rests on',
  ungrounded_literal: 'an id, path or address of the answer stands in no quote and is not derived',
  ungrounded_number: 'a number of the answer stands in no quote and is not derived',
  ungrounded_date: 'a date or time of the answer stands in no quote, is no cited turn’s time and is not derived',
  ungrounded_name: 'a name of the answer stands in no quote',
  ungrounded_words: 'most words of the answer stand in no quote, call or question',
  ungrounded_question: 'the question starts from something that no cited turn holds',
  stale_value: 'the answer gives a value that a later turn replaced, and the question does not ask for that time',
  one_value: 'of a value that changed, the answer tells one of the two that are asked for, or one of them twice',
  yes_no: 'the answer is a bare yes or no',
  states_nothing: 'the answer says that there is none',
  operand_not_found: 'a value that the answer is derived from does not stand where it is said to',
  derivation_mismatch: 'the derivation, run again, does not give what the answer says',
  derivation_scope: 'a count or an exclusion that was not checked over the whole session',
  prompt_label: 'question or answer names a turn, row or message by its number',
  answer_in_question: 'the question gives its answer away',
  near_duplicate: 'another pair of the segment asks the same',
  unredacted: 'question, answer or quote holds personal data or a secret',
  unknown_placeholder: 'question or answer holds a placeholder that the segment does not',
} as const;

export type Reason = keyof typeof reasons;

/** Why a pair is kept but held back. */
export const heldReasons = {
  untrusted: 'a turn that is needed says it only in text that gives instructions within a tool’s answer',
} as const;

export type HeldReason = keyof typeof heldReasons;

/** Why a segment gave no pairs. */
export const segmentReasons = {
  no_structure: 'nothing in it makes a question that needs several turns',
  too_few_turns: 'fewer than three turns bear evidence',
  all_rejected: 'every proposed pair was refused by a gate',
  truncated: 'the model ran out of output tokens',
  blocked: 'the model or its provider refused to answer',
  empty: 'the model answered nothing',
  unparsable: 'the model’s answer is no JSON of the asked form',
  coverage: 'enough of its shape was compiled lately',
  budget: 'it would have cost more than a cap allows',
} as const;

export type SegmentReason = keyof typeof segmentReasons;
