/** Errors of work on rows, without what they may quote of them. */
import { OperatorError } from '../../errors.ts';

export async function quietly<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw withoutText(error);
  }
}

export function quietlyNow<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw withoutText(error);
  }
}

/** What was refused here names kinds and no text; of any other error its name and where it was thrown are kept. */
export class RedactionError extends Error {
  override readonly name = 'RedactionError';
}

function withoutText(error: unknown): unknown {
  if (error instanceof OperatorError || error instanceof RedactionError) return error;
  const name = error instanceof Error ? error.constructor.name : typeof error;
  const quiet = new RedactionError(`redaction failed (${name})`);
  quiet.stack = `RedactionError: ${quiet.message}\n${framesOf(error)}`;
  return quiet;
}

/** The lines behind the message: it may have lines that look like them. */
function framesOf(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return '';
  const at = error.message === '' ? 0 : error.stack.lastIndexOf(error.message);
  const frames = error.stack.slice(at === -1 ? error.stack.length : at + error.message.length);
  return frames.split('\n').slice(1).join('\n');
}
