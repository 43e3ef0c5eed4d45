/** The same dashboards over Kafka, where rules compile: what is about models alone is empty, and says so. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mayBeEmpty } from '../../observability/empty-when.ts';
import { settingsFor } from '../e2e/pipe.ts';
import { until } from '../support/capture.ts';
import { type Running, runCli, startCli } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';
import { describeKafka, startKafka, type TestKafka } from '../support/kafka.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { describePrometheus, type TestPrometheus } from '../support/prometheus.ts';
import { show } from './scenario/asking.ts';
import { readDashboards } from './scenario/dashboards.ts';
import { parcelOf, rowsOf } from './scenario/parcels.ts';
import { append, areReady } from './scenario/pipeline.ts';
import { startServer } from './scenario/server.ts';

let dir: string;
let kafka: TestKafka;
let postgres: TestPostgres;
let prometheus: TestPrometheus;
const running: Running[] = [];
const begun = new Date();

describePrometheus('over Kafka', () => {
  describeKafka('with rules', () => {
    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), 'tc-observed-kafka-'));
      [kafka, postgres] = await Promise.all([startKafka(), startPostgres()]);
      await play();
    }, 240_000);
    afterAll(async () => {
      for (const { child } of running) if (child.exitCode === null) child.kill('SIGKILL');
      await Promise.all([prometheus?.stop(), kafka?.stop(), postgres?.stop()]);
      rmSync(dir, { recursive: true, force: true });
    });

    async function play(): Promise<void> {
      const [url, calls] = [await postgres.createDatabase(), await postgres.createDatabase()];
      const prefix = `observed-${randomUUID().slice(0, 8)}.`;
      const settings = (part: string) => ({
        ...settingsFor(url, join(dir, part)),
        TC_TOPICS_TRANSPORT: 'kafka',
        TC_KAFKA_BROKERS: kafka.brokers.join(','),
        TC_KAFKA_TOPIC_PREFIX: prefix,
        TC_KAFKA_PARTITIONS: '3',
        TC_CALLS_URL: calls,
      });
      const { code, stderr } = await runCli(['init', '--create-table'], { env: settings('all') });
      expect(code, stderr).toBe(0);
      const targets = { all: `127.0.0.1:${await freePort()}`, compile: `127.0.0.1:${await freePort()}` };
      const start = (part: keyof typeof targets, ...args: string[]) => {
        const env = { ...settings(part), TC_METRICS_PORT: targets[part].split(':')[1]! };
        const started = startCli(['run', ...args], { env });
        running.push(started);
        return started;
      };
      start('all');
      const worker = start('compile', '--role', 'compile');
      prometheus = await startServer(targets);
      await until('both processes to be ready', () => areReady(Object.values(targets), running), 120_000);
      await append(url, Array.from({ length: 12 }, (_, nth) => rowsOf(parcelOf('passes', nth))).flat());
      await until(
        'what was compiled to be written',
        () => holds('sum(tc_sink_writes_total{outcome="ok"}) == 12'),
        120_000,
      );
      const shared = 'tc_topic_rebalances_total{service="all", topic="trajectories"}';
      const before = (await prometheus.query(shared))[0]?.value ?? Number.NaN;
      worker.child.kill('SIGTERM');
      await worker.finished;
      await until('partitions to be shared out anew', () => holds(`${shared} > ${before}`), 120_000);
    }

    const holds = async (expr: string) => (await prometheus.query(expr)).length > 0;

    it('tells the lag of each partition, for each group', async () => {
      const lags = await prometheus.query(
        'max by (topic, group, partition) (max_over_time(tc_topic_partition_lag[10m]))',
      );
      const of = (topic: string, group: string) =>
        lags.filter(({ labels }) => labels.topic === topic && labels.group === group).length;
      expect([of('trajectories', 'compile'), of('compiled', 'sqlite')]).toEqual([3, 3]);
    });

    it('every panel shows something, or says why it may be empty', async () => {
      const shown = await Promise.all(readDashboards().map((dashboard) => show(dashboard, prometheus, begun)));
      const empty = new Set(shown.flatMap((each) => each.empty.map(({ panel }) => panel)));
      expect([...empty].filter((panel) => !(panel in mayBeEmpty))).toEqual([]);
      expect(shown.flatMap(({ noFigures }) => noFigures)).toEqual([]);
      expect(empty).not.toContain('tc-sinks-and-topics/Lag by partition');
      expect(empty).toContain('tc-cost/Breaker');
    });

    it('nothing fires', async () => {
      const rules = await prometheus.rules();
      expect(rules.filter(({ health, state }) => health !== 'ok' || state === 'firing')).toEqual([]);
    });
  });
});
