import { Writable } from 'node:stream';
import pino from 'pino';
import type { Logger } from '../../../src/log.ts';

export interface LogLine {
  /** 40: a warning, as pino counts. */
  level: number;
  msg: string;
}

/** A log that a test can read. */
export function recordingLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const write = (line: Buffer, _encoding: string, done: () => void) => {
    lines.push(JSON.parse(line.toString()) as LogLine);
    done();
  };
  return { log: pino({ level: 'debug', base: null }, new Writable({ write })), lines };
}
