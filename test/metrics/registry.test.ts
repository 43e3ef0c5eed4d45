import { Counter } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { type Definition, definitions, metricParts } from '../../src/metrics/definitions.ts';
import { countedElsewhere, createMetrics } from '../../src/metrics/registry.ts';
import { counted, present, samplesIn } from './reading.ts';

const all: Definition[] = Object.values(definitions);
const labelsOf = all.flatMap(({ name, labels }) =>
  Object.entries(labels).map(([label, it]) => ({ name, label, ...it })),
);

describe('a name', () => {
  it.each(all)('$name is one, of words in lower case after tc_', ({ name, help, part }) => {
    expect(name).toMatch(/^tc(_[a-z][a-z0-9]*)+$/);
    expect(all.filter((other) => other.name === name)).toHaveLength(1);
    expect(help).toMatch(/^[0-9A-Z].*\.$/s);
    expect(Object.keys(metricParts)).toContain(part);
  });

  it('ends in _total where it only grows, and nowhere else', () => {
    const ends = (name: string) => name.endsWith('_total');
    expect(all.filter(({ kind, name }) => (kind === 'counter') !== ends(name))).toEqual([]);
    // What a histogram or Prometheus adds to a name is not for others.
    expect(all.filter(({ name }) => /_(count|sum|bucket|info)$/.test(name)).map(({ name }) => name)).toEqual([
      'tc_build_info',
    ]);
  });

  it.each([
    ['seconds', /\b(duration|age of|how long|how far .* behind the clock|seconds)\b/i],
    ['bytes', /\b(bytes|size of|WAL (between|that)|space)\b/i],
    ['usd', /\b(cost of|cap of|spent in|reserved for calls)\b/i],
  ])('says %s where that is what is counted', (unit, speaksOf) => {
    const unitOf = (name: string) =>
      name
        .replace(/_total$/, '')
        .split('_')
        .at(-1);
    const speaking = all.filter(({ help, name }) => speaksOf.test(help) && name !== 'tc_llm_cost_unknown_total');
    expect(speaking.length).toBeGreaterThan(2);
    expect(speaking.filter(({ name }) => unitOf(name) !== unit).map(({ name }) => name)).toEqual([]);
  });

  it('knows no unit but base units', () => {
    const others = /_(ms|millis|milliseconds|micros|minutes|hours|days|kb|kib|mb|mib|gb|percent|cents|dollars)(_|$)/;
    expect(all.filter(({ name }) => others.test(name))).toEqual([]);
  });
});

describe('a label', () => {
  it('is in lower case and says what it tells apart', () => {
    expect(labelsOf.filter(({ label, means }) => !/^[a-z][a-z_]*$/.test(label) || means === '')).toEqual([]);
    // Prometheus, or whoever scrapes, sets these.
    expect(labelsOf.filter(({ label }) => ['le', 'quantile', 'job', 'instance'].includes(label))).toEqual([]);
  });

  /** What bounds those whose values are not listed. */
  const bounds: Record<string, string> = {
    version: 'one program',
    node: 'one program',
    group: 'the sinks',
    sink: 'the setting sinks',
    model: 'the settings',
    partition: 'kafka.partitions',
    agent_group: 'the first fifty',
    code: 'the codes of this program',
    outcome: 'the outcomes of this program',
    reason: 'the reasons of this program',
    qa_type: 'the kinds of this program',
    tier: 'the tiers of the provider',
  };

  it('has a bounded number of values: listed, or bound by the settings or this program', () => {
    const unbounded = labelsOf.filter(({ label, values }) => values === undefined && !Object.hasOwn(bounds, label));
    expect(unbounded).toEqual([]);
    expect(labelsOf.filter(({ values }) => values !== undefined && new Set(values).size !== values.length)).toEqual([]);
  });

  it('is never a session, a pair, a row or a file of one', () => {
    expect(
      labelsOf.filter(({ label }) => /session|trajectory|segment|pair|row|path|prompt|(^|_)id$/.test(label)),
    ).toEqual([]);
  });
});

describe('the registry', () => {
  it('has every metric of the table under its name and help', async () => {
    const { registry } = createMetrics('1.2.3');
    const made = await registry.getMetricsAsJSON();
    for (const { name, help, kind } of all)
      expect(
        made.find((each) => each.name === name),
        name,
      ).toMatchObject({ help, type: kind });
  });

  it('starts at 0 where every label’s values are known, and has nothing where one is not', async () => {
    const samples = await samplesIn(createMetrics('1.2.3'));
    for (const { kind, name, labels } of all) {
      if (kind === 'gauge') continue;
      const values = Object.values(labels).map((label) => label.values);
      const series = values.reduce((product, each) => product * (each?.length ?? 0), 1);
      const found = samples.get(kind === 'histogram' ? `${name}_count` : name) ?? [];
      expect(found.length, name).toBe(series);
      expect(
        found.filter(({ value }) => value !== 0),
        name,
      ).toEqual([]);
    }
  });

  it('holds no gauge that nobody has set: 0 would be a statement', async () => {
    const metrics = createMetrics('1.2.3');
    const samples = await samplesIn(metrics);
    const set = all.filter(({ kind, name }) => kind === 'gauge' && samples.get(name)?.length !== 0);
    expect(set.map(({ name }) => name)).toEqual(['tc_build_info']);
    metrics.lagBytes.set(0);
    expect(await present(metrics, 'tc_source_lag_bytes')).toEqual(['0']);
  });

  it('says what runs, and how the process is', async () => {
    const metrics = createMetrics('1.2.3');
    expect(await counted(metrics, 'tc_build_info')).toEqual([`${process.versions.node},1.2.3 1`]);
    expect((await samplesIn(metrics)).has('process_resident_memory_bytes')).toBe(true);
  });

  it('is one of each process: two do not mix', async () => {
    const [one, another] = [createMetrics('1'), createMetrics('1')];
    one.rows.inc(3);
    expect([await present(one, 'tc_source_rows_total'), await present(another, 'tc_source_rows_total')]).toEqual([
      ['3'],
      ['0'],
    ]);
  });
});

it('what somebody else counts is taken over as it stands, however often', async () => {
  const counter = new Counter({ name: 'seen_total', help: 'x', labelNames: ['kind'], registers: [] });
  const totals = (a: number, b: number) => [
    { labels: { kind: 'a' }, total: a },
    { labels: { kind: 'b' }, total: b },
  ];
  countedElsewhere(counter, totals(1, 0));
  countedElsewhere(counter, totals(4, 2));
  const { values } = await counter.get();
  expect(values.map(({ value, labels }) => `${labels.kind} ${value}`)).toEqual(['a 4', 'b 2']);
});
