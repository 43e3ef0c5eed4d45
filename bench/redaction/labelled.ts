/** Recall on the labelled texts, by tier and type, and the near misses that were touched. */
import { type Detect, noContext } from '../../src/compile/redact/detection.ts';
import { labelledTexts } from './recorded.ts';
import { covers, Tallies, type Tally, type Touched, touchedIn } from './score.ts';

export interface LabelledScore {
  /** By tier, then by type. */
  recall: Map<string, Tally[]>;
  nearMisses: number;
  touched: Touched[];
  /** `core_pii` that was left standing, in its text. */
  missed: string[];
}

export function scoreLabelled(detect: Detect): LabelledScore {
  const tiers = new Map<string, Tallies>();
  const missed: string[] = [];
  const texts = labelledTexts();
  for (const { text, spans } of texts) {
    const findings = spans.length === 0 ? [] : detect(text, noContext);
    for (const { start, end, type, tier } of spans) {
      const isFound = covers(findings, start, end);
      const tallies = tiers.get(tier) ?? new Tallies();
      tiers.set(tier, tallies);
      tallies.add(type, isFound);
      if (!isFound && tier === 'core_pii')
        missed.push(`${type} "${text.slice(start, end)}" in ${JSON.stringify(text)}`);
    }
  }
  const nearMisses = texts.filter(({ label }) => label === 'near_miss');
  return {
    recall: new Map([...tiers].map(([tier, tallies]) => [tier, tallies.all])),
    nearMisses: nearMisses.length,
    touched: nearMisses.flatMap(({ text }) => touchedIn(detect, text) ?? []),
    missed,
  };
}
