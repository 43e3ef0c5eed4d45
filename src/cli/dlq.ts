import type { Command } from 'commander';
import { dropSink, listDeadLetters, refuseUnknown, requeueDeadLetters, showDeadLetters } from '../dead-letters.ts';
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
    .command('show')
    .argument('<id>', 'of the message')
    .description('one parked message with its contents: text of your log')
    .action(
      act(async ({ config, log, json, print }, _options: object, id: string) => {
        const shown = await showDeadLetters(config, log, id);
        if (shown.length === 0) refuseUnknown(id);
        for (const { value, ...letter } of shown) {
          if (json) print(JSON.stringify({ ...letter, value }));
          else print(`${table(['', ''], Object.entries(letter))}\n${value}`);
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
        if (id !== undefined && requeued.length === 0) refuseUnknown(id);
        if (json) for (const letter of requeued) print(JSON.stringify(letter));
        else print(`${counted(requeued.length, 'message')} put back`);
        return exitCodes.ok;
      }),
    );

  dlq
    .command('drop')
    .argument('<sink>', 'that is given up')
    .description(
      'give up what waits and what is parked for a sink that is no longer written; it may be filled again later',
    )
    .action(
      act(async ({ config, log, note }, _options: object, sink: string) => {
        await dropSink(config, log, sink);
        note(`nothing is kept for the sink ${sink} any longer`);
        return exitCodes.ok;
      }),
    );
}
