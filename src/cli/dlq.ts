import type { Command } from 'commander';
import { listDeadLetters, requeueDeadLetters } from '../dead-letters.ts';
import { exitCodes } from '../errors.ts';
import type { Act } from './context.ts';
import { counted } from './figures.ts';
import { table } from './table.ts';

export function defineDlq(program: Command, act: Act): void {
  const dlq = program.command('dlq').description('dead letters: messages that were parked for a person to look at');

  dlq
    .command('list')
    .description('every parked message: where, why, after how many attempts')
    .action(
      act(async ({ config, log, json, print, note }) => {
        const letters = await listDeadLetters(config, log);
        if (json) for (const letter of letters) print(JSON.stringify(letter));
        else if (letters.length === 0) note('nothing is parked');
        else {
          const rows = letters.map((l) => [l.topic, l.group, l.id, l.key, l.attempts, l.code, l.error, l.parkedAt]);
          print(table(['topic', 'group', 'id', 'session', 'attempts', 'code', 'error', 'parked'], rows));
        }
        return exitCodes.ok;
      }),
    );

  dlq
    .command('requeue')
    .argument('[id]', 'of the message; all of them without it')
    .description('put parked messages back; the next run works on them')
    .action(
      act(async ({ config, log, json, print }, _options: object, id?: string) => {
        const requeued = await requeueDeadLetters(config, log, id ?? null);
        if (json) for (const letter of requeued) print(JSON.stringify(letter));
        else print(`${counted(requeued.length, 'message')} put back`);
        return id !== undefined && requeued.length === 0 ? exitCodes.failed : exitCodes.ok;
      }),
    );
}
