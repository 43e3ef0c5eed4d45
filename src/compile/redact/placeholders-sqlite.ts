/** Numbers of placeholders in a file that the workers of one host share. */
import { explainSqlite, type Migration, openSqlite, type SqliteDatabase } from '../../sqlite.ts';
import type { NamedValue, Numbered, PlaceholderStore, SealedValue, SessionName } from './placeholder-store.ts';

export const placeholderMigrations: readonly Migration[] = [
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
     PRIMARY KEY (session, hash)
   ) WITHOUT ROWID;`,
];

interface Row extends Numbered {
  hash: string;
  sealed: Buffer | null;
}

/** @throws OperatorError where the file can't be used. */
export function openPlaceholderStore(path: string): PlaceholderStore {
  const what = 'placeholder store';
  const db = openSqlite(path, { what, migrations: placeholderMigrations });
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
  return numbersIn(
    openSqlite(':memory:', { what: 'placeholder store', migrations: placeholderMigrations }),
    async (work) => work(),
  );
}

function numbersIn(db: SqliteDatabase, attempt: <T>(work: () => T) => Promise<T>): PlaceholderStore {
  const session = db.prepare('SELECT id FROM sessions WHERE session_id = ? AND source = ?').pluck();
  const addSession = db.prepare('INSERT INTO sessions (session_id, source) VALUES (?, ?) RETURNING id').pluck();
  const known = db.prepare(
    `SELECT hash, kind, number, sealed FROM placeholders
      WHERE session = ? AND hash IN (SELECT value FROM json_each(?))`,
  );
  const highest = db.prepare('SELECT kind, max(number) AS number FROM placeholders WHERE session = ? GROUP BY kind');
  const add = db.prepare('INSERT INTO placeholders (session, kind, number, hash, sealed) VALUES (?, ?, ?, ?, ?)');
  const seal = db.prepare('UPDATE placeholders SET sealed = ? WHERE session = ? AND hash = ?');
  const sealed = db.prepare(
    `SELECT kind, number, hash, sealed FROM placeholders JOIN sessions ON id = session
      WHERE session_id = ? AND source = ? AND sealed IS NOT NULL ORDER BY kind, number`,
  );
  const sources = db.prepare('SELECT source FROM sessions WHERE session_id = ? ORDER BY source').pluck();

  const knownOf = (id: number, values: readonly NamedValue[]) => {
    const rows = known.all(id, JSON.stringify(values.map(({ hash }) => hash))) as Row[];
    return new Map(rows.map((row) => [row.hash, row]));
  };

  const addAll = db.transaction(({ sessionId, source }: SessionName, values: readonly NamedValue[]) => {
    const before = session.get(sessionId, source) as number | undefined;
    const id = before ?? (addSession.get(sessionId, source) as number);
    const rows = before === undefined ? new Map<string, Row>() : knownOf(id, values);
    const numbered = before === undefined ? [] : (highest.all(id) as Numbered[]);
    const last = new Map(numbered.map(({ kind, number }) => [kind, number]));
    for (const value of values) {
      const { kind, hash, sealed } = value;
      const row = rows.get(hash);
      if (row === undefined) {
        const number = (last.get(kind) ?? 0) + 1;
        last.set(kind, number);
        add.run(id, kind, number, hash, sealed);
        rows.set(hash, { hash, kind, number, sealed });
      } else if (lacksSeal(row, value)) seal.run(sealed, id, hash);
    }
    return rows;
  });

  return {
    number: (name, values) =>
      attempt(() => {
        if (values.length === 0) return [];
        // Most parts of a session bring nothing new, and a reader waits for nobody.
        const id = session.get(name.sessionId, name.source) as number | undefined;
        let rows = id === undefined ? new Map<string, Row>() : knownOf(id, values);
        if (values.some((value) => isNews(rows.get(value.hash), value))) rows = addAll.immediate(name, values);
        return values.map(({ hash }) => {
          const { kind, number } = rows.get(hash)!;
          return { kind, number };
        });
      }),
    sealed: ({ sessionId, source }) => attempt(() => sealed.all(sessionId, source) as SealedValue[]),
    sources: (sessionId) => attempt(() => sources.all(sessionId) as string[]),
    close: async () => void db.close(),
  };
}

function isNews(row: Row | undefined, value: NamedValue): boolean {
  return row === undefined || lacksSeal(row, value);
}

/** A vault that was set up later takes in what comes by again. */
function lacksSeal(row: Row, { kind, sealed }: NamedValue): boolean {
  return row.sealed === null && sealed !== null && row.kind === kind;
}
