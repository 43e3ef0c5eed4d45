/** The jars of a Kafka server, fetched once by Maven into a cache that all test workers share. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cachedFolder } from '../cache-folder.ts';

const run = promisify(execFile);
const pom = fileURLToPath(new URL('pom.xml', import.meta.url));
const fetchTimeoutMs = 300_000;

/** Resolves with the folder of the jars of `version`, such as `4.1.2`. */
export async function kafkaJars(version: string): Promise<string> {
  return await cachedFolder(`kafka-${version}`, (folder) => fetchInto(folder, version));
}

async function fetchInto(folder: string, version: string): Promise<void> {
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`];
  try {
    await run('mvn', ['-B', '-q', '-f', pom, `-Dkafka.version=${version}`, ...goal], { timeout: fetchTimeoutMs });
  } catch (error) {
    const said = String((error as { stdout?: string }).stdout ?? '').trim();
    throw new Error(
      `fetching the jars of Kafka ${version} with Maven failed: ${said.split('\n').slice(-3).join(' | ')}`,
      {
        cause: error,
      },
    );
  }
}
