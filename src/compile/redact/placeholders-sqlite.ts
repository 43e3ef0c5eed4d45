/** Numbers of placeholders in a file that the workers of one host share. */
import { explainSqlite, type Migration, openSqlite, type SqliteDatabase } from '../../sqlite.ts';
import type { Kind } from './kinds.ts';
import type { NamedValue, Numbered, PlaceholderStore, SealedValue, SessionName } from './placeholder-store.ts';

const migrations: readonly Migration[] = [
  `CREATE TABLE sessions (
     id INTEGER PRIMARY KEY,
     session_id TEXT NOT NULL,
     source TEXT NOT NULL,
     UNIQUE (session_id, source)
   );
   CREATE TABLE placeholders (
     session INTEGER NOT NULL REFERENCES sessions (id),
     kind TEXT NOT NULL,
     number INTEGER NOT NULL,
     hash TEXT NOT NULL,
     -- The value under the vault's key.
     sealed BLOB,
     PRIMARY KEY (session, hash),
     UNIQUE (session, kind, number)
   ) WITHOUT ROWID;`,
];

interface Row extends Numbered {
  sealed: Buffer | null;
}

/** @throws OperatorError where the file can't be used. */
export function openPlaceholderStore(path: string): PlaceholderStore {
  const what = 'placeholder store';
  const db = openSqlite(path, { what, migrations });
  const attempt = async <T>(work: () => T): Promise<T> => {
    try {
      return work();
    } catch (error) {
      throw explainSqlite(error, what, path);
    }
  };
  return numbersIn(db, attempt);
}

/** Of this process alone, and gone with it. */
export function createMemoryPlaceholders(): PlaceholderStore {
  return numbersIn(openSqlite(':memory:', { what: 'placeholder store', migrations }), async (work) => work());
}

function numbersIn(db: SqliteDatabase, attempt: <T>(work: () => T) => Promise<T>): PlaceholderStore {
  const session = db.prepare('SELECT id FROM sessions WHERE session_id = ? AND source = ?').pluck();
  const addSession = db.prepare('INSERT INTO sessions (session_id, source) VALUES (?, ?) RETURNING id').pluck();
  const known = db.prepare('SELECT kind, number, sealed FROM placeholders WHERE session = ? AND hash = ?');
  const highest = db.prepare('SELECT max(number) FROM placeholders WHERE session = ? AND kind = ?').pluck();
  const add = db.prepare('INSERT INTO placeholders (session, kind, number, hash, sealed) VALUES (?, ?, ?, ?, ?)');
  const seal = db.prepare('UPDATE placeholders SET sealed = ? WHERE session = ? AND hash = ?');
  const sealed = db.prepare(
    `SELECT kind, number, hash, sealed FROM placeholders JOIN sessions ON id = session
      WHERE session_id = ? AND source = ? AND sealed IS NOT NULL ORDER BY kind, number`,
  );
  const sources = db.prepare('SELECT source FROM sessions WHERE session_id = ? ORDER BY source').pluck();

  const numbersOf = (id: number | undefined, values: readonly NamedValue[]) =>
    values.map(({ hash }) => (id === undefined ? undefined : (known.get(id, hash) as Row | undefined)));

  const addAll = db.transaction(({ sessionId, source }: SessionName, values: readonly NamedValue[]): Numbered[] => {
    const id = (session.get(sessionId, source) ?? addSession.get(sessionId, source)) as number;
    return values.map((value) => {
      const row = known.get(id, value.hash) as Row | undefined;
      if (row !== undefined) {
        if (lacksSeal(row, value)) seal.run(value.sealed, id, value.hash);
        return { kind: row.kind, number: row.number };
      }
      const number = ((highest.get(id, value.kind) as number | null) ?? 0) + 1;
      add.run(id, value.kind, number, value.hash, value.sealed);
      return { kind: value.kind, number };
    });
  });

  return {
    number: (name, values) =>
      attempt(() => {
        if (values.length === 0) return [];
        // Most parts of a session bring nothing new, and a reader waits for nobody.
        const id = session.get(name.sessionId, name.source) as number | undefined;
        const rows = numbersOf(id, values);
        const isKnown = rows.every((row, at) => row !== undefined && !lacksSeal(row, values[at]!));
        if (isKnown) return rows.map((row) => ({ kind: row!.kind, number: row!.number }));
        return addAll.immediate(name, values);
      }),
    sealed: ({ sessionId, source }) => attempt(() => sealed.all(sessionId, source) as SealedValue[]),
    sources: (sessionId) => attempt(() => sources.all(sessionId) as string[]),
    close: async () => void db.close(),
  };
}

/** A vault that was set up later takes in what comes by again. */
function lacksSeal(row: { kind: Kind; sealed: Buffer | null }, value: NamedValue): boolean {
  return row.sealed === null && value.sealed !== null && row.kind === value.kind;
}
