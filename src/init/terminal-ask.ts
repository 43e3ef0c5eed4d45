/** Questions on a terminal. Everything goes to stderr: stdout is for data, such as the SQL that was asked for. */
import type { Readable, Writable } from 'node:stream';
import { confirm, isCancel, log, note, password, select, text } from '@clack/prompts';
import { orAborted } from '../compile/models/or-aborted.ts';
import { terminalOf, wrap } from '../dataset/terminal.ts';
import { type Ask, cancelled } from './ask.ts';

const mostChoices = 12;

interface Streams {
  input: Readable;
  output: Writable;
  signal: AbortSignal;
}

export function askOnTerminal(input: Readable, output: Writable, signal: AbortSignal): Ask {
  const put = async <T>(question: (streams: Streams) => Promise<T>): Promise<Exclude<T, symbol>> => {
    // A prompt never takes its listener away again: it gets a signal that ends with it.
    const own = new AbortController();
    const stop = () => own.abort();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const answer = await question({ input, output, signal: own.signal });
      if (isCancel(answer)) throw cancelled();
      return answer as Exclude<T, symbol>;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
  return {
    text: async ({ message, initial, placeholder, refuse }) => {
      const answer = await put((streams) =>
        text({
          ...streams,
          message,
          ...(initial === undefined ? {} : { initialValue: initial }),
          ...(placeholder === undefined ? {} : { placeholder }),
          validate: (given) => refuse?.((given ?? '').trim()),
        }),
      );
      return (answer ?? '').trim();
    },
    hidden: (message) => put((streams) => password({ ...streams, message })),
    choose: async <T>(message: string, choices: { value: T; label: string; hint?: string }[], initial?: T) => {
      // A place in the list stands for each value, since the prompt compares them.
      const at = choices.findIndex(({ value }) => value === initial);
      const options = choices.map(({ label, hint }, value) => ({
        value,
        label,
        ...(hint === undefined ? {} : { hint }),
      }));
      const chosen = await put((streams) =>
        select({ ...streams, message, options, maxItems: mostChoices, initialValue: Math.max(0, at) }),
      );
      return choices[chosen]!.value;
    },
    confirm: (message, initial = true) => put((streams) => confirm({ ...streams, message, initialValue: initial })),
    wait: async (message, work) => {
      log.step(wrapped(message, output), { output });
      return await orAborted(work, signal).catch((error: unknown) => {
        throw signal.aborted ? cancelled() : error;
      });
    },
    show: (title, said) => note(said, title, { output, format: (line) => line }),
    tell: (line) => log.success(wrapped(line, output), { output }),
    complain: (line) => log.error(wrapped(line, output), { output }),
  };
}

/** A box wraps by itself, a line does not. */
function wrapped(line: string, output: Writable & { columns?: number }): string {
  const { width } = terminalOf(output, undefined);
  return wrap(line, width - guideWidth).join('\n');
}

const guideWidth = 3;
