/** Logs go to stderr: stdout is for data. They never hold row contents, credentials or prompts. */
import { Writable } from 'node:stream';
import pino from 'pino';
import pretty from 'pino-pretty';

export type Logger = pino.Logger;
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** On a terminal `beforeLine` is called first: whoever draws there makes room. */
export function createLogger(level: LogLevel, beforeLine: () => void = () => {}): Logger {
  if (process.stderr.isTTY !== true)
    return pino(
      { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ dest: 2, sync: true }),
    );
  const write = (line: Buffer, _encoding: string, done: () => void) => {
    beforeLine();
    process.stderr.write(line);
    done();
  };
  return pino(
    { level, base: null },
    pretty({ destination: new Writable({ write }), ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' }),
  );
}
