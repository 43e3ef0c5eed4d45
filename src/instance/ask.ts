/** Asks a running process how it stands. */
import { messageOf, stop } from '../errors.ts';
import { type InstanceStatus, instanceStatusSchema } from './status.ts';

const answerWithinMs = 5000;

/**
 * @param url - of its metrics server, such as `http://127.0.0.1:9464`
 * @throws OperatorError `no_answer` where nobody answers there, or something else than such a process.
 */
export async function askStatus(url: string): Promise<InstanceStatus> {
  const answer = await fetch(new URL('/status', url), { signal: AbortSignal.timeout(answerWithinMs) })
    .then(async (response) => ({ code: response.status, text: await response.text() }))
    .catch((error: unknown) => {
      const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
      throw stop(
        'no_answer',
        `nothing answers at ${url} (${cause}): see that \`run\` is up and metrics.port is its port`,
      );
    });
  const parsed = instanceStatusSchema.safeParse(jsonOf(answer.text));
  if (parsed.success) return parsed.data;
  throw stop(
    'no_answer',
    `what answers at ${url}/status is no \`run\` of this version (HTTP ${answer.code}): see metrics.port, and that both are of one version`,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
