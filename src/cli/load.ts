import type { Command } from 'commander';
import { loadInto } from '../appending.ts';
import { count } from '../dataset/figures.ts';
import { codeOf, exitCodes } from '../errors.ts';
import type { LoadProgress } from '../load/load.ts';
import { parseCount, parseSpeed } from './arguments.ts';
import type { Act } from './context.ts';
import { bytes, counted } from './figures.ts';
import { showStatus } from './status-line.ts';

interface Options {
  speed: 'max' | number;
  create?: boolean;
  skipBad?: boolean;
  fromLine: number;
}

export function defineLoad(program: Command, act: Act): void {
  program
    .command('load')
    .argument('<file>', 'JSON lines, plain or gzip; - for standard input')
    .description('append recorded rows to the audit log')
    .option('--speed <factor>', 'max, or how many times faster than recorded', parseSpeed, 'max')
    .option('--create', 'create the audit log, where there is none')
    .option('--skip-bad', 'leave bad lines out, and count them')
    .option('--from-line <n>', 'begin with this line', parseCount, 1)
    .action(
      act(async (context, { speed, create = false, skipBad = false, fromLine }: Options, file: string) => {
        const { config, json, print, note, drain } = context;
        let latest: LoadProgress = { rows: 0, skipped: 0, bytes: 0, totalBytes: null, rate: 0, nextLine: 1 };
        const line = showStatus(() => progressText(latest));
        try {
          const result = await loadInto(config, {
            source: file === '-' ? process.stdin : file,
            speed,
            create,
            skipBad,
            fromLine,
            signal: drain,
            onProgress: (progress) => {
              latest = progress;
            },
            onSkipped: (at, problem) => note(`line ${at} left out: ${problem}`),
            onPlan: ({ rows, takesMs }) => note(`${counted(rows, 'row')}, about ${Math.ceil(takesMs / 1000)} s`),
          });
          line.stop();
          if (json) print(JSON.stringify(result));
          else print(`${counted(result.rows, 'row')} of ${counted(result.sessions, 'session')} appended`);
          if (result.nextLine !== null) note(`stopped: go on with --from-line ${result.nextLine}`);
          if (result.skipped > 0) note(`${counted(result.skipped, 'line')} left out`);
          return result.skipped > 0 || result.nextLine !== null ? exitCodes.partial : exitCodes.ok;
        } catch (error) {
          line.stop();
          // A bad line says this itself.
          if (latest.rows > 0 && codeOf(error) !== 'load_line')
            note(`${counted(latest.rows, 'row')} appended by then: go on with --from-line ${latest.nextLine}`);
          throw error;
        } finally {
          line.stop();
        }
      }),
    );
}

function progressText({ rows, bytes: read, totalBytes, rate, skipped }: LoadProgress): string {
  const share = totalBytes === null || totalBytes === 0 ? bytes(read) : `${Math.floor((100 * read) / totalBytes)} %`;
  return `rows ${count(rows)} (${count(rate)}/s) · ${share}${skipped > 0 ? ` · left out ${count(skipped)}` : ''}`;
}
