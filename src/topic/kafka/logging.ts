/** What kafkajs says, in our log. */
import { type logCreator, logLevel } from 'kafkajs';
import type { Logger } from '../../log.ts';

type Level = 'trace' | 'debug' | 'info' | 'warn';

/**
 * One step quieter than kafkajs means it: what it calls an error it also throws or retries, and whoever called says so in
 * words. Single connections fail by the dozen while a broker is away, and a consumer's crash is told with the group that
 * it interrupts: both are for debugging.
 */
export function kafkaLogCreator(log: Logger): logCreator {
  return () => (entry) => {
    const { message, timestamp: _ours, logger: _kafkajs, stack: _stack, ...fields } = entry.log;
    log[levelOf(entry.level, entry.namespace)]({ part: `kafkajs ${entry.namespace}`, ...fields }, message);
  };
}

/** Its debug level spells out every request: formatted only when somebody reads it. */
export function kafkaLogLevel(log: Logger): logLevel {
  return log.isLevelEnabled('trace') ? logLevel.DEBUG : logLevel.INFO;
}

const toldElsewhere = new Set(['Connection', 'BrokerPool', 'Consumer']);

function levelOf(level: logLevel, namespace: string): Level {
  if (level === logLevel.DEBUG) return 'trace';
  if (level === logLevel.INFO || toldElsewhere.has(namespace)) return 'debug';
  return level === logLevel.ERROR ? 'warn' : 'info';
}
