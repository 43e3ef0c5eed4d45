/** How a question is put to the person in front of the terminal. */
import { type OperatorError, stop } from '../errors.ts';

export interface Choice<T> {
  value: T;
  label: string;
  hint?: string;
}

/** Every question and every wait rejects with `cancelled` where the person would rather stop: Ctrl-C, Escape, or a signal. */
export interface Ask {
  text(question: TextQuestion): Promise<string>;
  /** What is typed is not shown. */
  hidden(message: string): Promise<string>;
  choose<T>(message: string, choices: Choice<T>[], initial?: T): Promise<T>;
  confirm(message: string, initial?: boolean): Promise<boolean>;
  /** What is waited for meanwhile, such as a server, is said; whoever stops waits no longer. */
  wait<T>(message: string, work: Promise<T>): Promise<T>;
  /** Something to read, under a title. */
  show(title: string, text: string): void;
  /** What came of an answer, in a line. */
  tell(line: string): void;
  complain(line: string): void;
}

export interface TextQuestion {
  message: string;
  /** What stands there to be changed or taken as it is. */
  initial?: string;
  placeholder?: string;
  /** What is wrong with an answer; undefined where nothing is. */
  refuse?: (answer: string) => string | undefined;
}

export function cancelled(): OperatorError {
  return stop('cancelled', 'stopped: no file was written, and nothing was created on the server');
}
