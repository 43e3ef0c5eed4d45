/** The server and the tool that the tests of dashboards, rules and metrics lean on. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { until } from '../support/capture.ts';
import { describePrometheus, promtool, startPrometheus } from '../support/prometheus.ts';

describePrometheus('the Prometheus of the tests', () => {
  it('scrapes what it is told to, records and answers, and says which expression it does not understand', async () => {
    const page = createServer((_request, response) => response.end('answers_total 42\n'));
    await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
    const target = `127.0.0.1:${(page.address() as AddressInfo).port}`;
    const prometheus = await startPrometheus({
      'prometheus.yml': `
        global: { scrape_interval: 100ms, evaluation_interval: 100ms }
        scrape_configs: [{ job_name: page, static_configs: [{ targets: ['${target}'] }] }]
        rule_files: [rules/*.yml]`,
      'rules/own.yml': `
        groups: [{ name: own, rules: [
          { record: answers:doubled, expr: answers_total * 2 },
          { alert: Answers, expr: answers_total > 41, labels: { severity: page } }] }]`,
    });
    try {
      await until('it has evaluated what it scraped', async () => {
        return (
          (await prometheus.query('answers:doubled')).length > 0 && (await prometheus.rules())[1]?.state === 'firing'
        );
      });
      expect(await prometheus.query('answers:doubled')).toMatchObject([{ labels: { job: 'page' }, value: 84 }]);
      expect(await prometheus.query('-1 / 0')).toEqual([{ labels: {}, value: Number.NEGATIVE_INFINITY }]);
      expect(await prometheus.query('answers_total', new Date(0))).toEqual([]);
      expect(await prometheus.get('label/job/values')).toEqual(['page']);
      expect(await prometheus.rules()).toMatchObject([
        { name: 'answers:doubled', type: 'recording', health: 'ok' },
        { name: 'Answers', type: 'alerting', health: 'ok', labels: { severity: 'page' } },
      ]);
      await expect(prometheus.query('answers_total{')).rejects.toThrow(/answers_total\{: .*parse error/);
    } finally {
      await prometheus.stop();
      page.close();
      page.closeAllConnections();
    }
    await expect(fetch(`${prometheus.baseUrl}/-/ready`)).rejects.toThrow();
  });

  it('a configuration that it refuses is said, and so is what promtool finds', async () => {
    await expect(startPrometheus({ 'prometheus.yml': 'nonsense: 1' })).rejects.toThrow(/did not start: .*nonsense/);
    expect(
      await promtool(['check', 'metrics'], { stdin: '# HELP a_total A.\n# TYPE a_total counter\na_total 1\n' }),
    ).toEqual({
      code: 0,
      output: '',
    });
    const verdict = await promtool(['check', 'metrics'], { stdin: '# TYPE a_count gauge\na_count 1\n' });
    expect(verdict.code).toBe(3);
    expect(verdict.output).toContain('a_count');
  });
});
