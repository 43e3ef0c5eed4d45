/** The line that says what a command is about to cost, or another tier would. */
import { usdRange } from '../dataset/figures.ts';
import { kindOf, messageOf } from '../errors.ts';
import { estimateSessions } from '../estimating.ts';
import type { CommandContext } from './context.ts';

/**
 * `about 0.12–0.31 USD at list prices for …`. Of the tier of the settings; of `cheap` where that is `rules`, which costs
 * nothing.
 */
export async function noteEstimate(
  { config, log, note }: CommandContext,
  sessions: readonly { sessionId: string; turns: number }[],
  what: string,
): Promise<void> {
  if (sessions.length === 0) return;
  const tier = config['compile.tier'];
  const way = tier === 'rules' ? ` with --tier cheap; nothing with rules` : '';
  try {
    const range = await estimateSessions(config, sessions, log);
    if (range === null) note(`cost of ${what}: unknown, since a model has no price (see \`prices\`)${way}`);
    else note(`about ${usdRange(range)} at list prices for ${what}${way}`);
  } catch (error) {
    // Settings that name no model are told by who needs one.
    if (kindOf(error) !== 'stop') throw error;
    note(`no estimate: ${messageOf(error)}`);
  }
}
