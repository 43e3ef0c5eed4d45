import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { settings } from '../../src/settings.ts';
import { compileGroup } from '../../src/transport/transport.ts';
import { type Container, deploy, type Manifest, podOf, readManifests, readText, workloads } from './deployed.ts';

const manifests = readManifests();
const pods = workloads();
const containerOf = (manifest: Manifest) => podOf(manifest).containers[0] as Container;
const runs = pods.filter((manifest) => containerOf(manifest).args[0] === 'run');

function named(kind: string, name: string): Manifest {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

test('what kustomization names is there, and every other file is one that it mentions', () => {
  const { resources } = parse(readText('kubernetes', 'kustomization.yaml')) as { resources: string[] };
  for (const file of resources) expect(existsSync(join(deploy, 'kubernetes', file)), file).toBe(true);
  const kustomization = readText('kubernetes', 'kustomization.yaml');
  for (const { file } of manifests) if (file !== 'kustomization.yaml') expect(kustomization).toContain(file);
});

test('the placeholders of the secret are never applied with the rest', () => {
  const { resources } = parse(readText('kubernetes', 'kustomization.yaml')) as { resources: string[] };
  expect(resources).not.toContain('secret.example.yaml');
});

test('every key of the secret that is mounted stands in its example, and the other way round', () => {
  const mounted = manifests
    .filter(({ spec }) => spec?.template !== undefined)
    .flatMap((manifest) => podOf(manifest).volumes.flatMap(({ secret }) => secret?.items ?? []))
    .map(({ key }) => key);
  const scaling = named('TriggerAuthentication', 'kafka').spec.secretTargetRef as { key: string }[];
  expect(new Set([...mounted, ...scaling.map(({ key }) => key)])).toEqual(
    new Set(Object.keys(named('Secret', 'secrets').stringData ?? {})),
  );
});

test('capture is one pod with its journal on a volume, and so is the dataset', () => {
  for (const name of ['capture', 'sink-sqlite']) {
    const { spec } = named('StatefulSet', name);
    expect(spec.replicas).toBe(1);
    const [claim] = spec.volumeClaimTemplates as { metadata: { name: string } }[];
    const mount = containerOf(named('StatefulSet', name)).volumeMounts?.find(
      (one) => one.name === claim?.metadata.name,
    );
    expect(mount?.mountPath).toBe(named('ConfigMap', 'settings').data?.TC_DATA_DIR);
  }
});

test.each(pods.map((manifest) => [manifest.metadata.name, manifest] as const))(
  '%s has no rights, a read-only file system and a limit of memory',
  (_, manifest) => {
    const { securityContext, volumes } = podOf(manifest);
    const container = containerOf(manifest);
    expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(container.resources.limits).toHaveProperty('memory');
    const claims = ((manifest.spec.volumeClaimTemplates ?? []) as { metadata: { name: string } }[]).map(
      ({ metadata }) => metadata.name,
    );
    const there = [...volumes.map(({ name }) => name), ...claims];
    for (const { name } of container.volumeMounts ?? []) expect(there).toContain(name);
  },
);

test.each(runs.map((manifest) => [manifest.metadata.name, manifest] as const))(
  '%s is probed, scraped and given time to finish',
  (name, manifest) => {
    const container = containerOf(manifest);
    expect(container.livenessProbe?.httpGet).toEqual({ path: '/healthz', port: 'metrics' });
    expect(container.startupProbe?.httpGet).toEqual({ path: '/healthz', port: 'metrics' });
    expect(container.readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'metrics' });
    const port = String(container.ports?.find((one) => one.name === 'metrics')?.containerPort);
    expect(port).toBe(named('ConfigMap', 'settings').data?.TC_METRICS_PORT);
    expect(named('Service', name).metadata.annotations?.['prometheus.io/port']).toBe(port);
    expect((podOf(manifest).terminationGracePeriodSeconds ?? 0) * 1000).toBeGreaterThan(
      settings['kafka.handoverTimeout'].fallback,
    );
  },
);

test('every selector finds the pods that it is for', () => {
  const selectors = manifests.flatMap(({ file, kind, metadata, spec }) => {
    const selector = spec?.selector as ({ matchLabels?: object } & object) | undefined;
    return selector === undefined || kind === 'ServiceMonitor'
      ? []
      : [{ name: `${file} ${kind}`, of: metadata.name, labels: selector.matchLabels ?? selector }];
  });
  expect(selectors.length).toBeGreaterThan(runs.length);
  for (const { name, of, labels } of selectors) {
    const pod = pods.find(({ metadata }) => metadata.name === of);
    expect(pod?.spec, name).toMatchObject({ template: { metadata: { labels } } });
  }
});

test('workers are scaled by the lag of the group that they are in, up to the partitions there are', () => {
  const { scaleTargetRef, maxReplicaCount, triggers } = named('ScaledObject', 'compile').spec as {
    scaleTargetRef: { name: string };
    maxReplicaCount: number;
    triggers: { metadata: Record<string, string>; authenticationRef: { name: string } }[];
  };
  const common = named('ConfigMap', 'settings').data ?? {};
  const prefix = settings['kafka.topicPrefix'].fallback;
  expect(named('Deployment', scaleTargetRef.name).metadata.name).toBe('compile');
  expect(String(maxReplicaCount)).toBe(common.TC_KAFKA_PARTITIONS);
  expect(triggers[0]?.metadata).toMatchObject({
    bootstrapServers: common.TC_KAFKA_BROKERS,
    consumerGroup: `${prefix}${compileGroup}`,
    topic: `${prefix}trajectories`,
  });
  expect(named('TriggerAuthentication', 'kafka').metadata.name).toBe(triggers[0]?.authenticationRef.name);
});

test('the Prometheus operator scrapes the service of every role, as one job', () => {
  const { jobLabel, selector, endpoints } = named('ServiceMonitor', 'trajectory-compiler').spec as {
    jobLabel: string;
    selector: { matchLabels: Record<string, string> };
    endpoints: { port: string; path: string }[];
  };
  const services = runs.map(({ metadata }) => named('Service', metadata.name));
  for (const { metadata, spec } of services) {
    expect(metadata.labels).toMatchObject(selector.matchLabels);
    expect((spec.ports as { name: string }[]).map(({ name }) => name)).toEqual(endpoints.map(({ port }) => port));
    expect(endpoints[0]?.path).toBe(metadata.annotations?.['prometheus.io/path']);
  }
  expect(new Set(services.map(({ metadata }) => metadata.labels?.[jobLabel]))).toEqual(
    new Set(['trajectory-compiler']),
  );
});
