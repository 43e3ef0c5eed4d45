/** What the dataset holds of the rows, wherever it is written. */
import type { Config } from '../config.ts';
import { rowsHeld } from '../dataset/held.ts';
import { openDatasetIfPresent } from '../dataset/open.ts';
import type { HeldRow } from '../dataset-tables.ts';
import { openMirrorReader } from '../sinks/supabase/held.ts';
import type { SqliteDatabase } from '../sqlite.ts';
import { filesOf } from '../stages.ts';

export interface HeldReader {
  /** The sink whose writing puts a row there; null where no dataset of the settings can be read from here. */
  sink: 'sqlite' | 'supabase' | null;
  rowsHeld(source: string, rowKeys: readonly string[]): Promise<Map<string, HeldRow[]>>;
  close(): Promise<void>;
}

/** The file of the data directory, where a sink or `compile` has written it; and the mirror, where no sink writes a file. */
export function openHeld(config: Config): HeldReader {
  const file = new DatasetFile(filesOf(config).dataset);
  const url = config['supabase.databaseUrl'];
  const isFile = config.sinks.includes('sqlite');
  const isMirror = !isFile && config.sinks.includes('supabase') && url !== null;
  const mirror = isMirror ? openMirrorReader({ url, schema: config['supabase.schema'] }) : null;
  return {
    sink: isFile ? 'sqlite' : isMirror ? 'supabase' : null,
    async rowsHeld(source, rowKeys) {
      const here = file.rowsHeld(source, rowKeys);
      return mirror === null ? here : joined(here, await mirror.rowsHeld(source, rowKeys));
    },
    async close() {
      file.close();
      await mirror?.close();
    },
  };
}

/** May come into being at any time. */
class DatasetFile {
  readonly #path: string;
  #db: SqliteDatabase | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  rowsHeld(source: string, rowKeys: readonly string[]): Map<string, HeldRow[]> {
    this.#db ??= openDatasetIfPresent(this.#path);
    return this.#db === null ? new Map() : rowsHeld(this.#db, source, rowKeys);
  }

  close(): void {
    this.#db?.close();
  }
}

function joined(a: Map<string, HeldRow[]>, b: Map<string, HeldRow[]>): Map<string, HeldRow[]> {
  for (const [rowKey, rows] of a) b.set(rowKey, [...rows, ...(b.get(rowKey) ?? [])]);
  return b;
}
