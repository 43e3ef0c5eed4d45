import type { Command } from 'commander';
import { count } from '../dataset/figures.ts';
import { exitCodes } from '../errors.ts';
import { type ExistingSession, type ExistingSessions, listExisting } from '../existing-log.ts';
import { parseCount } from './arguments.ts';
import type { Act } from './context.ts';
import { noteEstimate } from './estimate-line.ts';
import { table } from './table.ts';

export function defineExtract(program: Command, act: Act): void {
  program
    .command('extract')
    .description('sessions that are in the table already, longest first; read-only, without a slot')
    .option('--limit <n>', 'how many', parseCount, 20)
    .action(
      act(
        async (context, { limit }: { limit: number }) => {
          const { config, log, json, print, note } = context;
          const existing = await listExisting(config, limit, log);
          if (json) print(JSON.stringify(existing));
          else if (existing.sessions.length > 0) print(asTable(existing.sessions));
          for (const sentence of closing(existing, config['session.minTurns'])) note(sentence);
          await noteEstimate(context, existing.sessions, 'these sessions');
          return exitCodes.ok;
        },
        { endsAtOnce: true },
      ),
    );
}

function asTable(sessions: ExistingSession[]): string {
  const rows = sessions.map(({ sessionId, agents, turns, firstAt, compiledTurns }) => [
    sessionId,
    agents.join(', '),
    count(turns),
    firstAt?.slice(0, 16) ?? '',
    compiledTurns === 0 ? '' : compiledTurns >= turns ? 'yes' : `${count(compiledTurns)} turns`,
  ]);
  return table(['session', 'agents', 'turns', 'began (UTC)', 'compiled'], rows, ['left', 'left', 'right']);
}

function closing({ sessions, total, compiled, lower }: ExistingSessions, minTurns: number): string[] {
  const those = `${count(total)} ${total === 1 ? 'session has' : 'sessions have'} ${minTurns} turns or more`;
  return [
    `${those}${sessions.length < total ? `, ${count(sessions.length)} shown` : ''}${compiled > 0 ? `, ${count(compiled)} of them compiled` : ''}`,
    ...(lower.sessions > 0 ? [`--min-turns ${lower.minTurns} would add ${count(lower.sessions)}`] : []),
  ];
}
