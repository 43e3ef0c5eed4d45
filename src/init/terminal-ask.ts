/** Questions on a terminal. Everything goes to stderr: stdout is for data, such as the SQL that was asked for. */
import type { Readable, Writable } from 'node:stream';
import { confirm, isCancel, log, note, password, select, text } from '@clack/prompts';
import { type Ask, cancelled } from './ask.ts';

const mostChoices = 12;

export function askOnTerminal(input: Readable, output: Writable, signal: AbortSignal): Ask {
  const streams = { input, output, signal };
  return {
    text: async ({ message, initial, placeholder, refuse }) => {
      const answer = await text({
        ...streams,
        message,
        ...(initial === undefined ? {} : { initialValue: initial }),
        ...(placeholder === undefined ? {} : { placeholder }),
        validate: (given) => refuse?.((given ?? '').trim()),
      });
      return (answered(answer) ?? '').trim();
    },
    hidden: async (message) => answered(await password({ ...streams, message })),
    choose: async <T>(message: string, choices: { value: T; label: string; hint?: string }[], initial?: T) => {
      // A place in the list stands for each value, since the prompt compares them.
      const at = choices.findIndex(({ value }) => value === initial);
      const options = choices.map(({ label, hint }, value) => ({
        value,
        label,
        ...(hint === undefined ? {} : { hint }),
      }));
      const chosen = answered(
        await select({ ...streams, message, options, maxItems: mostChoices, initialValue: Math.max(0, at) }),
      );
      return choices[chosen]!.value;
    },
    confirm: async (message, initial = true) => answered(await confirm({ ...streams, message, initialValue: initial })),
    show: (title, said) => note(said, title, { output, format: (line) => line }),
    tell: (line) => log.success(line, { output }),
    complain: (line) => log.error(line, { output }),
  };
}

function answered<T>(answer: T): Exclude<T, symbol> {
  if (isCancel(answer)) throw cancelled();
  return answer as Exclude<T, symbol>;
}
