/** What every look at the server's side of a capture shares. */
import type pg from 'pg';
import { exitCodes, type OperatorError, stop } from '../errors.ts';

export type Queryable = pg.ClientBase | pg.Pool;

/** The server or the settings must be changed before a capture can start. */
export function badSetup(code: string, message: string, cause?: unknown): OperatorError {
  return stop(code, message, { exitCode: exitCodes.configuration, cause });
}
