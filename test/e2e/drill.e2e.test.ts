/** The drill of bench/drill-kafka.ts, for a minute. */
import { expect, it } from 'vitest';
import { runDrill } from '../../bench/drill/drill.ts';
import { faultsOf } from '../../bench/drill/faults.ts';
import { describeKafka } from '../support/kafka.ts';

describeKafka('processes and a broker that are killed again and again', () => {
  it('lose no trajectory and double none: both sinks hold all of them, equal', async () => {
    const said: string[] = [];
    const compiledAtLeast = 100;
    const options = { noiseMs: 60_000, noiseTimeoutMs: 300_000, compiledAtLeast, seed: 7, brokerKillEveryMs: 20_000 };
    const report = await runDrill({ ...options, say: (sentence) => said.push(sentence) });
    expect(faultsOf(report, { compiledAtLeast }), `${JSON.stringify(report)}\n${said.join('\n')}`).toEqual([]);
  }, 900_000);
});
