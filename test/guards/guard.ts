/** A guard, how to take it out, and which tests must notice. */
export interface Guard {
  /** What it guards, unique, in words. */
  name: string;
  /** The file that holds it, from the root of the checkout. */
  file: string;
  /** Stands in the file exactly once. */
  old: string;
  /** What it becomes: the same program without the guard. */
  new: string;
  /** Test files of which at least one test must fail. */
  tests: string[];
}
