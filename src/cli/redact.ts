import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { Command } from 'commander';
import { count } from '../dataset/figures.ts';
import { exitCodes, stop } from '../errors.ts';
import { type FoundSpan, kindsOf, redactInput, restoreInput } from '../redacting.ts';
import type { Act, CommandContext } from './context.ts';
import { table } from './table.ts';

interface Options {
  restore?: boolean;
  session?: string;
  source?: string;
}

export function defineRedact(program: Command, act: Act): void {
  program
    .command('redact')
    .argument('[file]', 'text or JSON lines, plain or gzip; - or nothing for standard input')
    .description('show what redaction makes of a text; with --json where it finds what, never the value')
    .option('--restore', 'put the values of a session back in the place of their placeholders, where a vault is kept')
    .option('--session <id>', 'with --restore: whose values')
    .option('--source <name>', 'with --restore: of which audit log, where several have such a session')
    .action(
      act(async (context, options: Options, file: string | undefined) => {
        const input = file === undefined || file === '-' ? process.stdin : file;
        if (input === process.stdin && process.stdin.isTTY === true)
          context.note('reading what is typed, until Ctrl-D');
        await (options.restore === true ? restore(context, options, input) : show(context, input));
        return exitCodes.ok;
      }),
    );
}

async function show({ config, json, print, note, drain }: CommandContext, input: string | Readable): Promise<void> {
  const counts = new Map<FoundSpan['kind'], number>();
  for await (const { text, spans } of redactInput(config, input, drain)) {
    for (const span of spans) {
      counts.set(span.kind, (counts.get(span.kind) ?? 0) + 1);
      if (json) print(JSON.stringify(span));
    }
    if (!json) print(text);
    await untilWritten();
  }
  const rows = kindsOf(counts).map(({ kind, what, count: n }) => [kind, count(n), what]);
  note(rows.length === 0 ? 'nothing found' : table(['kind', 'found', ''], rows, ['left', 'right']));
}

async function restore({ config, log, print, drain }: CommandContext, options: Options, input: string | Readable) {
  const { session: sessionId, source = null } = options;
  if (sessionId === undefined)
    throw stop('no_session', '--restore needs --session ID: whose values?', { exitCode: exitCodes.usage });
  for await (const line of restoreInput(config, log, { sessionId, source }, input, drain)) {
    print(line);
    await untilWritten();
  }
}

/** Who reads more slowly than we write sets the pace: the input may be larger than the memory. */
async function untilWritten(): Promise<void> {
  if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
}
