/** What is made from this folder: the files that Grafana and readers get. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { render } from './dashboard.ts';
import { dashboards } from './dashboards.ts';
import { metricsPage } from './metrics-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const biome = join(root, 'node_modules/.bin/biome');

/** Paths from the root of the project, each with the text that belongs there. */
export function generated(): { path: string; text: string }[] {
  return [
    ...dashboards.map((source) => {
      const path = `deploy/grafana/dashboards/${source.uid.replace(/^tc-/, '')}.json`;
      return { path, text: formatted(path, JSON.stringify(render(source), null, 2)) };
    }),
    { path: 'docs/metrics.md', text: metricsPage() },
  ];
}

/** As the linter of the project wants files of this kind. */
function formatted(path: string, text: string): string {
  return execFileSync(biome, ['format', `--stdin-file-path=${path}`], { cwd: root, input: text, encoding: 'utf8' });
}

/** Paths of those that are not what the code says. */
export function drifted(): string[] {
  return generated()
    .filter(({ path, text }) => text !== present(path))
    .map(({ path }) => path);
}

function present(path: string): string | null {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return null;
  }
}

export function write(): void {
  for (const { path, text } of generated()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}
