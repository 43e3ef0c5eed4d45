/** What every command is handed: settings, a logger, where to write, and the two signals that stop it. */
import type { Config, LoadedConfig } from '../config.ts';
import type { ExitCode, OperatorError } from '../errors.ts';
import type { Logged, Logger } from '../log.ts';

export interface CommandContext {
  config: Config;
  loaded: LoadedConfig;
  log: Logger;
  /** What it has logged so far. */
  logged: Logged;
  /** Of this program. */
  version: string;
  /** Data as JSON on stdout. */
  json: boolean;
  /** A line of data on stdout. */
  print: (line: string) => void;
  /** A line for the person in front of it, on stderr. */
  note: (line: string) => void;
  /** Fires at the first SIGINT or SIGTERM: finish what is in work, then end. */
  drain: AbortSignal;
  /** Fires at the second: give up what is in work. */
  abort: AbortSignal;
}

/** A command; resolves with its exit code. */
export type Action<O, A extends string[]> = (context: CommandContext, options: O, ...args: A) => Promise<ExitCode>;

/** Of a command that may have no settings to go by. */
export type Saying = Pick<CommandContext, 'json' | 'print' | 'note'>;

export interface ActOptions {
  /** Takes over where the settings can't be read; otherwise that ends the command. */
  withoutSettings?: (error: OperatorError, saying: Saying) => ExitCode;
  /** What is said at the first signal; null for nothing, as of a command that has nothing in work. */
  stopping?: string | null;
  /** True of what only reads: a signal ends it as it ends any process. */
  endsAtOnce?: boolean;
}

/** Ties an action to the settings, the logger and the signals of this run. */
export type Act = <O, A extends string[]>(
  action: Action<O, A>,
  more?: ActOptions,
) => (...commanderArguments: unknown[]) => Promise<void>;
