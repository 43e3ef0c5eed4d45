/** What agents do to an audit log, in all the ways that commits can lie to each other. */
import pg from 'pg';
import { Dice } from '../../src/demo/dice.ts';
import { pause } from '../../src/lifecycle.ts';

type Write = (client: pg.Client, dice: Dice, session: (kind: string) => string) => Promise<void>;

const one = `INSERT INTO audit_log (session_id, agent, tool, arguments, response)
  VALUES ($1, 'drill', $2, jsonb_build_object('n', $3::int), jsonb_build_object('text', repeat('r', $4::int)))`;
const values = (session: string, dice: Dice) => [
  session,
  dice.pick(['read', 'set', 'wait']),
  dice.int(1, 1000),
  dice.chance(0.02) ? 20_000 : dice.int(10, 1_000),
];

/** One kind a writer, each with a connection of its own, and how long it rests in between, in milliseconds. */
const kinds: Record<string, { restMs: number; write: Write }> = {
  small: { restMs: 60, write: (client, dice, session) => insertOne(client, dice, session('small')) },
  interleaved: { restMs: 60, write: (client, dice, session) => insertOne(client, dice, session('shared')) },
  interleaved2: { restMs: 60, write: (client, dice, session) => insertOne(client, dice, session('shared')) },
  /** Commits that the server has not flushed when it says so, and forgets when it dies. */
  unflushed: {
    restMs: 80,
    write: async (client, dice, session) => {
      await client.query('SET synchronous_commit = off');
      await insertOne(client, dice, session('unflushed'));
    },
  },
  /** Larger than a batch of the journal. */
  large: {
    restMs: 6_000,
    write: async (client, dice, session) => {
      await client.query(
        `INSERT INTO audit_log (session_id, agent, tool, response)
           SELECT $1 || '-' || n % 40, 'drill', 'bulk', jsonb_build_object('n', n) FROM generate_series(1, $2::int) AS n`,
        [session('large'), dice.int(100, 1_200)],
      );
    },
  },
  undone: {
    restMs: 150,
    write: async (client, dice, session) => {
      await client.query('BEGIN');
      await insertOne(client, dice, session('shared'));
      await client.query('ROLLBACK');
    },
  },
  halfUndone: {
    restMs: 150,
    write: async (client, dice, session) => {
      await client.query('BEGIN');
      await insertOne(client, dice, session('shared'));
      await client.query('SAVEPOINT half');
      await insertOne(client, dice, session('shared'));
      await client.query('ROLLBACK TO half');
      await insertOne(client, dice, session('shared'));
      await client.query('COMMIT');
    },
  },
  /** Rows of earlier times than others that were committed long before. */
  late: {
    restMs: 200,
    write: async (client, dice, session) => {
      await client.query('BEGIN');
      await insertOne(client, dice, session('shared'));
      await pause(dice.int(100, 2_500));
      await insertOne(client, dice, session('shared'));
      await client.query('COMMIT');
    },
  },
  sameTime: {
    restMs: 100,
    write: async (client, dice, session) => {
      await client.query(
        `INSERT INTO audit_log (session_id, agent, tool, created_at)
           SELECT $1, 'drill', 'same', date_trunc('second', clock_timestamp()) FROM generate_series(1, $2::int)`,
        [session('shared'), dice.int(1, 4)],
      );
    },
  },
};

async function insertOne(client: pg.Client, dice: Dice, session: string): Promise<void> {
  await client.query(one, values(session, dice));
}

/**
 * Writes until the signal fires. A connection that is lost is made again; whether what was under way was committed, the
 * log itself says.
 */
export async function keepWriting(url: string, seed: number, signal: AbortSignal): Promise<void> {
  const writers = Object.values(kinds).map(async ({ restMs, write }, n) => {
    const dice = new Dice(seed, n);
    let turn = 0;
    // A few sessions at a time, which end as others take their place; every tenth of them goes on for ever.
    const session = (kind: string) =>
      dice.chance(0.1) ? `${kind}-for-ever` : `${kind}-${Math.floor(turn / 30)}-${dice.int(1, 4)}`;
    while (!signal.aborted) {
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
      client.on('error', () => {});
      try {
        await client.connect();
        for (; !signal.aborted; turn++) {
          await write(client, dice, session);
          await pause(restMs * dice.next() * 2, signal);
        }
      } catch (error) {
        if (isOurFault(error)) throw error;
        await pause(100, signal);
      } finally {
        await client.end().catch(() => {});
      }
    }
  });
  await Promise.all(writers);
}

/** Refused by a server that is neither starting nor ending (classes 08, 53 and 57). */
function isOurFault(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return /^[0-9A-Z]{5}$/.test(code) && /\d/.test(code) && !/^(08|53|57)/.test(code);
}
