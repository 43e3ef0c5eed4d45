/** Logs go to stderr: stdout is for data. They never hold row contents, credentials or prompts. */
import pino from 'pino';
import pretty from 'pino-pretty';

export type Logger = pino.Logger;
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export function createLogger(level: LogLevel): Logger {
  if (process.stderr.isTTY !== true)
    return pino(
      { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ dest: 2, sync: true }),
    );
  return pino(
    { level, base: null },
    pretty({ destination: 2, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' }),
  );
}
