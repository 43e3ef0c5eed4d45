/** Logs go to stderr: stdout is for data. They never hold row contents, credentials or prompts. */
import { Writable } from 'node:stream';
import pino from 'pino';
import pretty from 'pino-pretty';

export type Logger = pino.Logger;
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Lines so far that call for attention: for metrics. */
export type Logged = Record<'warn' | 'error', number>;

export interface LoggerOptions {
  /** Called first on a terminal: whoever draws there makes room. */
  beforeLine?: () => void;
  logged?: Logged;
}

export function createLogger(level: LogLevel, options: LoggerOptions = {}): Logger {
  const { beforeLine = () => {}, logged = { warn: 0, error: 0 } } = options;
  const hooks: pino.LoggerOptions['hooks'] = {
    logMethod(args, method, severity) {
      if (severity >= pino.levels.values.error!) logged.error += 1;
      else if (severity >= pino.levels.values.warn!) logged.warn += 1;
      method.apply(this, args);
    },
  };
  if (process.stderr.isTTY !== true)
    return pino(
      { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, hooks },
      pino.destination({ dest: 2, sync: true }),
    );
  const write = (line: Buffer, _encoding: string, done: () => void) => {
    beforeLine();
    process.stderr.write(line);
    done();
  };
  return pino(
    { level, base: null, hooks },
    pretty({ destination: new Writable({ write }), ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' }),
  );
}
