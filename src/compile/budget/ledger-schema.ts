/** The tables of the ledger, in the SQL that SQLite and Postgres share. Amounts are nano-dollars, times epoch milliseconds. */

export interface LedgerTables {
  periods: string;
  trajectories: string;
  reservations: string;
  refused: string;
}

export function tablesOf(prefix: string): LedgerTables {
  return {
    periods: `${prefix}periods`,
    trajectories: `${prefix}trajectories`,
    reservations: `${prefix}reservations`,
    refused: `${prefix}refused`,
  };
}

/** Steps are only ever appended. */
export function ledgerMigrations({ periods, trajectories, reservations, refused }: LedgerTables): string[] {
  return [
    `CREATE TABLE ${periods} (
       scope TEXT NOT NULL,
       period TEXT NOT NULL,
       spent BIGINT NOT NULL,
       -- The cap of which four fifths were spent when that was last said.
       warned_of BIGINT,
       PRIMARY KEY (scope, period)
     );
     CREATE TABLE ${trajectories} (id TEXT PRIMARY KEY, spent BIGINT NOT NULL, touched_at BIGINT NOT NULL);
     CREATE TABLE ${reservations} (
       call_id TEXT PRIMARY KEY,
       trajectory_id TEXT NOT NULL,
       amount BIGINT NOT NULL,
       day TEXT NOT NULL,
       month TEXT NOT NULL,
       -- Renewed by the process that made it. From then on nobody will say what the call did cost.
       alive_until BIGINT NOT NULL
     );
     CREATE TABLE ${refused} (trajectory_id TEXT PRIMARY KEY, since BIGINT NOT NULL, latest BIGINT NOT NULL);`,
  ];
}
