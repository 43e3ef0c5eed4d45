/** What the files under deploy/ would run, in one shape whether compose or Kubernetes runs it. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
export const deploy = join(repository, 'deploy');
export const ourImage = 'trajectory-compiler';

export interface Unit {
  /** Such as `compose.yaml: capture`. */
  name: string;
  image: string;
  /** Of our image: the command line. */
  args: string[];
  env: Record<string, string>;
  /** Files that are mounted as secrets: path inside, content. */
  secrets: Map<string, string>;
}

export const readText = (...path: string[]): string => readFileSync(join(deploy, ...path), 'utf8');

export interface ComposeService {
  image?: string;
  build?: { context: string; dockerfile: string };
  profiles?: string[];
  command?: string[];
  environment?: Record<string, string | number>;
  secrets?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  stop_grace_period?: string;
  restart?: string;
}

export interface Compose {
  services: Record<string, ComposeService>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { file: string }>;
}

/** The variables that compose puts in, as `.env` has them. */
function composeVariables(): Record<string, string> {
  const lines = readText('.env').split('\n');
  return Object.fromEntries(
    lines.filter((line) => /^[A-Z]/.test(line)).map((line) => [line.split('=')[0], line.slice(line.indexOf('=') + 1)]),
  );
}

export const defaultProfiles = (): string[] => (composeVariables().COMPOSE_PROFILES ?? '').split(',');

export function readCompose(file: string): Compose {
  const known = composeVariables();
  const text = readText(file).replace(
    /\$\{([A-Z_]+):-([^}]*)\}/g,
    (_, name: string, fallback: string) => known[name] ?? fallback,
  );
  return parse(text, { merge: true }) as Compose;
}

/** The base file, and what the file of a model changes in it. */
export function composeUnits(): Unit[] {
  const base = readCompose('compose.yaml');
  const model = readCompose('compose.gemini.yaml');
  const secrets = { ...base.secrets, ...model.secrets };
  const plain = Object.entries(base.services).map(([name, service]) =>
    composeUnit(`compose.yaml: ${name}`, service, secrets),
  );
  const changed = Object.entries(model.services).map(([name, change]) => {
    const service = base.services[name] ?? {};
    const together = {
      ...service,
      environment: { ...service.environment, ...change.environment },
      secrets: [...(service.secrets ?? []), ...(change.secrets ?? [])],
    };
    return composeUnit(`compose.gemini.yaml: ${name}`, together, secrets);
  });
  return [...plain, ...changed];
}

function composeUnit(name: string, service: ComposeService, secrets: Compose['secrets']): Unit {
  const { image = '', command = [], environment = {} } = service;
  return {
    name,
    image,
    args: command,
    env: Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, String(value)])),
    secrets: new Map(
      (service.secrets ?? []).map((secret) => [`/run/secrets/${secret}`, readText(secrets[secret]?.file ?? secret)]),
    ),
  };
}

export interface Manifest {
  file: string;
  apiVersion: string;
  kind: string;
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: Record<string, unknown>;
  data?: Record<string, string>;
  stringData?: Record<string, string>;
}

export interface Container {
  name: string;
  image: string;
  args: string[];
  env?: { name: string; value: string }[];
  envFrom?: { configMapRef: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  volumeMounts?: { name: string; mountPath: string }[];
  securityContext: Record<string, unknown>;
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  [probe: `${string}Probe`]: { httpGet: { path: string; port: string } } | undefined;
}

export interface Pod {
  containers: Container[];
  securityContext: Record<string, unknown>;
  terminationGracePeriodSeconds?: number;
  volumes: {
    name: string;
    emptyDir?: object;
    secret?: { secretName: string; items: { key: string; path: string }[] };
  }[];
}

export function readManifests(): Manifest[] {
  return readdirSync(join(deploy, 'kubernetes'))
    .filter((file) => file.endsWith('.yaml'))
    .flatMap((file) =>
      parseAllDocuments(readText('kubernetes', file)).map((document) => {
        if (document.errors.length > 0) throw new Error(`${file}: ${document.errors[0]?.message}`);
        return { file, ...(document.toJS() as Omit<Manifest, 'file'>) };
      }),
    );
}

export const podOf = ({ spec }: Manifest): Pod => (spec.template as { spec: Pod }).spec;

/** What runs, without the patch, which is no workload by itself. */
export const workloads = (): Manifest[] =>
  readManifests().filter(({ file, spec }) => spec?.template !== undefined && file !== 'compile-gemini.yaml');

export function kubernetesUnits(): Unit[] {
  const manifests = readManifests();
  const patch = manifests.find(({ file }) => file === 'compile-gemini.yaml') as Manifest;
  return workloads().flatMap((workload) => {
    const plain = kubernetesUnit(workload.file, [podOf(workload)], manifests);
    if (workload.metadata.name !== patch.metadata.name || workload.kind !== patch.kind) return [plain];
    return [plain, kubernetesUnit(patch.file, [podOf(workload), podOf(patch)], manifests)];
  });
}

/** Later pods are patches of the first. */
function kubernetesUnit(file: string, pods: Pod[], manifests: Manifest[]): Unit {
  const [first] = pods.map(({ containers }) => containers[0] as Container);
  const secret = manifests.find(({ kind }) => kind === 'Secret')?.stringData ?? {};
  const env: Record<string, string> = {};
  const secrets = new Map<string, string>();
  for (const { containers, volumes } of pods) {
    const [container] = containers as [Container];
    for (const { configMapRef } of container.envFrom ?? []) {
      const map = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name);
      if (map === undefined) throw new Error(`${file}: no ConfigMap ${configMapRef.name}`);
      Object.assign(env, map.data);
    }
    for (const { name, value } of container.env ?? []) env[name] = value;
    for (const { name, secret: mounted } of volumes) {
      const at = container.volumeMounts?.find((mount) => mount.name === name)?.mountPath;
      for (const { key, path } of mounted?.items ?? []) secrets.set(join(at ?? '', path), secret[key] ?? '');
    }
  }
  return { name: `kubernetes/${file}`, image: first?.image ?? '', args: first?.args ?? [], env, secrets };
}

/** Where a path in a compose file points to. */
export const besideCompose = (path: string): string => join(dirname(join(deploy, 'compose.yaml')), path);
