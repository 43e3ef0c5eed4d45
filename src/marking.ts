/** When duplicates are marked: now and then while pairs come in, and once more at the end. */
import type { Config } from './config.ts';
import { type DuplicatePass, openDuplicatePass, tellMirror } from './duplicates.ts';
import { codeOf, kindOf, messageOf } from './errors.ts';
import { pause } from './lifecycle.ts';
import type { Logger } from './log.ts';
import { type DuplicateMirror, openPostgresDuplicates, openRestDuplicates } from './sinks/supabase/duplicates.ts';
import { filesOf } from './stages.ts';

export interface Marking {
  /** Until the signal fires; what fails for a while is tried again. */
  keepUp(signal: AbortSignal): Promise<void>;
  /** All that is to be marked now; a mirror that is away is told another time. */
  finish(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const everyMs = 3_000;
const pairsAtOnce = 1_000;
/** Pairs may reach a mirror later than their marks: it is told again after so many rounds. */
const mirrorRounds = 20;

/** Null where no dataset is kept here. Beside whoever else writes it. @throws OperatorError as {@link openDuplicatePass}. */
export function openMarking(config: Config, log: Logger): Marking | null {
  if (!config.sinks.includes('sqlite')) return null;
  const pass = openDuplicatePass(filesOf(config).dataset);
  const mirror = mirrorOf(config);
  return {
    async keepUp(signal) {
      for (let round = 1; !signal.aborted; round += 1) {
        await pause(everyMs, signal);
        if (signal.aborted) return;
        const marked = await attempt(log, () => markAll(pass));
        if (mirror !== null && (marked > 0 || round % mirrorRounds === 0))
          await attempt(log, () => tellMirror(pass, mirror, signal));
      }
    },
    async finish(signal) {
      await attempt(log, () => markAll(pass));
      if (mirror !== null) await attempt(log, () => tellMirror(pass, mirror, signal));
    },
    async close() {
      pass.close();
      await mirror?.close();
    },
  };
}

function mirrorOf(config: Config): DuplicateMirror | null {
  if (!config.sinks.includes('supabase')) return null;
  const { 'supabase.databaseUrl': databaseUrl, 'supabase.url': url, 'supabase.key': key } = config;
  const schema = config['supabase.schema'];
  if (databaseUrl !== null) return openPostgresDuplicates({ url: databaseUrl, schema });
  return url === null || key === null ? null : openRestDuplicates({ url, key, schema });
}

/** How many were looked at. */
async function markAll(pass: DuplicatePass): Promise<number> {
  for (let looked = 0; ; ) {
    const some = pass.mark(pairsAtOnce);
    looked += some;
    if (some < pairsAtOnce) return looked;
    // Sinks write in between.
    await pause(0);
  }
}

/** What may pass by itself is done at the next round: marks are no reason to stop. */
async function attempt(log: Logger, work: () => Promise<number>): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (kindOf(error) !== 'retry') throw error;
    log.debug({ code: codeOf(error) }, `duplicates are marked later: ${messageOf(error)}`);
    return 0;
  }
}
