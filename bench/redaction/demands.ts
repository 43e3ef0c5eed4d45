/** What the benchmark and its test ask of redaction. */
export const demands = {
  coreRecall: 0.97,
  nearMissesTouched: 3,
  /** Types of the values known in the recorded sessions of which none may survive; the others are reported. */
  noSurvivors: new Set(['EMAIL', 'PHONE', 'IBAN']),
  corpusRecall: 0.97,
  /** Kinds that rules find where a cue tells them: reported. */
  reportedOnly: new Set(['PERSON', 'ADDRESS']),
  /** Of the near misses of the seeded corpus. */
  falseAlarms: 0.01,
  megabytesPerSecond: 20,
  hostileSecondsPerMegabyte: 1,
};
