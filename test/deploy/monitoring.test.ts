/** What compose starts beside the pipe, to see it: Prometheus finds every process, Grafana its data and its dashboards. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { deploy, ourImage, readCompose, readText } from './deployed.ts';
import { dockerfile, environmentOf } from './dockerfile.ts';

const { services } = readCompose('compose.yaml');
const prometheus = services.prometheus!;
const grafana = services.grafana!;

interface Scrape {
  global: { scrape_interval: string };
  rule_files: string[];
  scrape_configs: { job_name: string; dns_sd_configs?: { names: string[]; port: number; type: string }[] }[];
}
const scrape = parse(readText('prometheus', 'prometheus.yml')) as Scrape;

/** Path on this machine of what a service sees at `inside`, by its mounts. */
function mounted({ volumes = [] }: { volumes?: string[] }, inside: string): string {
  for (const volume of volumes) {
    const [from = '', to = '', mode] = volume.split(':');
    if (!from.startsWith('.') || !(inside === to || inside.startsWith(`${to}/`))) continue;
    expect(mode, volume).toBe('ro');
    return join(deploy, from, inside.slice(to.length));
  }
  throw new Error(`nothing of deploy/ is mounted at ${inside}`);
}

test('one job scrapes every service that runs the pipe, however many of each there are, at the port of the image', () => {
  const pipe = Object.entries(services).filter(
    ([, { image, command }]) => image?.startsWith(ourImage) && command?.[0] === 'run',
  );
  const job = scrape.scrape_configs.find(({ job_name: name }) => name === 'trajectory-compiler');
  const [found] = job?.dns_sd_configs ?? [];
  expect(found?.names.toSorted()).toEqual(pipe.map(([name]) => name).sort());
  expect(found?.type).toBe('A');
  expect(String(found?.port)).toBe(environmentOf(dockerfile()).TC_METRICS_PORT);
});

test('Prometheus is given its configuration and every file of rules', () => {
  const path = prometheus.command?.find((word) => word.startsWith('--config.file='))?.split('=')[1] ?? '';
  expect(existsSync(mounted(prometheus, path))).toBe(true);
  const folder = mounted(prometheus, join(path, '..', 'rules'));
  expect(scrape.rule_files).toEqual(['rules/*.yml']);
  expect(readdirSync(folder).sort()).toEqual(['alerts.yml', 'recording.yml']);
});

test('Grafana is given the datasource at the address of Prometheus, under the name that dashboards may rely on', () => {
  const folder = mounted(grafana, '/etc/grafana/provisioning/datasources');
  const [file = ''] = readdirSync(folder);
  const { datasources } = parse(readText('grafana', 'provisioning', 'datasources', file)) as {
    datasources: { uid: string; url: string; type: string; isDefault: boolean; jsonData: Record<string, unknown> }[];
  };
  expect(datasources).toHaveLength(1);
  expect(datasources[0]).toMatchObject({ uid: 'prometheus', type: 'prometheus', isDefault: true });
  expect(new URL(datasources[0]?.url ?? '').hostname).toBe('prometheus');
  expect(datasources[0]?.jsonData).toMatchObject({ manageAlerts: true, timeInterval: scrape.global.scrape_interval });
});

test('Grafana is given the dashboards, and begins with one of them', () => {
  const [file = ''] = readdirSync(mounted(grafana, '/etc/grafana/provisioning/dashboards'));
  const { providers } = parse(readText('grafana', 'provisioning', 'dashboards', file)) as {
    providers: { type: string; options: { path: string } }[];
  };
  expect(providers.map(({ type }) => type)).toEqual(['file']);
  const dashboards = readdirSync(mounted(grafana, providers[0]?.options.path ?? ''));
  expect(dashboards.length).toBeGreaterThan(0);
  expect(dashboards.filter((name) => !name.endsWith('.json'))).toEqual([]);
  const home = String(grafana.environment?.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH);
  expect(existsSync(mounted(grafana, home))).toBe(true);
});

test('nobody looks without a password unless that is asked for, and then only looks', () => {
  const { environment = {}, secrets = [] } = grafana;
  expect(environment).toMatchObject({ GF_AUTH_ANONYMOUS_ENABLED: 'false', GF_AUTH_ANONYMOUS_ORG_ROLE: 'Viewer' });
  expect(environment).not.toHaveProperty('GF_SECURITY_ADMIN_PASSWORD');
  expect(secrets.map((name) => `/run/secrets/${name}`)).toEqual([environment.GF_SECURITY_ADMIN_PASSWORD__FILE]);
});
