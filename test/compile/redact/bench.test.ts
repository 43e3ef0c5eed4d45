/** What the benchmark of redaction asks, its timing aside: on a seeded corpus, and on recorded data beside the checkout. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { scoreCorpus } from '../../../bench/redaction/corpus.ts';
import { demands } from '../../../bench/redaction/demands.ts';
import { scoreLabelled } from '../../../bench/redaction/labelled.ts';
import { recordedTrajectories } from '../../../bench/redaction/recorded.ts';
import { shareOf } from '../../../bench/redaction/score.ts';
import { onePlaceholder, redactAll, survivingCanaries, survivingInjected } from '../../../bench/redaction/sessions.ts';
import { createDetect } from '../../../src/compile/redact/detect.ts';
import { openRedactor } from '../../../src/compile/redact/open-redactor.ts';
import { createMemoryPlaceholders } from '../../../src/compile/redact/placeholders-sqlite.ts';

const seed = 20;
const detect = createDetect({ names: [] });

describe('a seeded British corpus', () => {
  const { recall, missed, leftAlone, touched } = scoreCorpus(detect, seed, 6);

  it('is covered but for what only a cue could tell', () => {
    const asked = recall.filter(({ name }) => !demands.reportedOnly.has(name));
    expect(shareOf(asked), missed.slice(0, 10).join('\n')).toBeGreaterThanOrEqual(demands.corpusRecall);
  });

  it('is left alone where it only looks like personal data or a secret', () => {
    expect(1 - shareOf(leftAlone), JSON.stringify(touched.slice(0, 10))).toBeLessThanOrEqual(demands.falseAlarms);
  });
});

if (existsSync(fileURLToPath(new URL('../../../../shared/data/redaction.jsonl.gz', import.meta.url)))) {
  describe('labelled texts', () => {
    const { recall, missed, touched } = scoreLabelled(detect);

    it('are covered where they hold core personal data', () => {
      expect(shareOf(recall.get('core_pii')!), missed.join('\n')).toBeGreaterThanOrEqual(demands.coreRecall);
    });

    it('are left alone where they are near misses', () => {
      expect(touched.length, JSON.stringify(touched)).toBeLessThanOrEqual(demands.nearMissesTouched);
    });
  });

  describe('recorded sessions', () => {
    const redactor = openRedactor({
      ...{ detect, policy: {}, key: 'key of this test alone', vaultKey: null, names: [] },
      placeholders: createMemoryPlaceholders(),
    });
    afterAll(() => redactor.close());
    const recorded = recordedTrajectories();

    it('keep no e-mail address, telephone number and account number, and give one value one placeholder', async () => {
      const redacted = await redactAll(redactor, recorded);
      const { gone, survivors } = survivingCanaries(redacted);
      const surviving = gone.filter(({ name, n, found }) => demands.noSurvivors.has(name) && found < n);
      expect(surviving, survivors.join('\n')).toEqual([]);
      const { values, broken } = onePlaceholder(recorded, redacted);
      expect(values).toBeGreaterThan(500);
      expect(broken).toEqual([]);
    });

    it('keep nothing that was put into them', async () => {
      // Every fourth session: the benchmark takes all.
      const some = recorded.filter((_, index) => index % 4 === 0);
      const { survivors } = await survivingInjected(redactor, some, seed);
      expect(survivors).toEqual([]);
    });
  });
}
