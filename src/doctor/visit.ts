/** What a run of `doctor` is given. */
import type { LoadedConfig } from '../config.ts';

export interface Visit {
  loaded: LoadedConfig;
  /** Of this program. */
  version: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Send each model one question, which is billed. */
  probe: boolean;
  drain: AbortSignal;
}
