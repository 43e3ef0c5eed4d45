/** How the shares of several captures are called and told apart. */
import { expect, test } from 'vitest';
import type { AuditTable } from '../../src/postgres/audit-table.ts';
import { publicationSql } from '../../src/stream/publication.ts';
import { shardCondition, shardName } from '../../src/stream/shard.ts';
import { slotSql } from '../../src/stream/slot.ts';

function tableWith(type: string): AuditTable {
  return {
    schema: 'public',
    name: 'log',
    oid: 1,
    sql: '"public"."log"',
    partitioned: false,
    columns: [
      { name: 'id', type: 'bigint' },
      { name: 'sess"ion', type },
    ],
    mapping: { names: ['sess"ion', 'id'], at: { sessionId: 0, key: 1 } as never, metadata: [], exclude: [] },
  };
}

test('slot and publication of a shard are named after those of the settings', () => {
  expect(shardName('trajectory_compiler', { index: 0, count: 4 }, 'postgres.slot')).toBe('trajectory_compiler_0_of_4');
  expect(shardName('trajectory_compiler', null, 'postgres.slot')).toBe('trajectory_compiler');
});

test('a name that Postgres would cut off is refused', () => {
  const shard = { index: 0, count: 2 };
  // 56 bytes and the 7 of `_0_of_2`.
  expect(shardName('ü'.repeat(28), shard, 'postgres.publication')).toMatch(/_0_of_2$/);
  expect(() => shardName(`${'ü'.repeat(28)}u`, shard, 'postgres.publication')).toThrow(
    expect.objectContaining({ code: 'bad_settings', message: expect.stringContaining('postgres.publication') }),
  );
});

test('only the first share has the rows without a session', () => {
  const [first, second] = [0, 1].map((index) =>
    shardCondition(tableWith('character varying(40)'), { index, count: 2 }),
  );
  expect(first).toBe('(((hashtextextended("sess""ion", 0) % 2) + 2) % 2 = 0 OR "sess""ion" IS NULL)');
  expect(second).toBe('(((hashtextextended("sess""ion", 0) % 2) + 2) % 2 = 1)');
});

test.each(['citext', 'jsonb', 'text[]', 'timestamp with time zone', 'double precision'])(
  'a session column of type %s is refused: no row filter hashes it, or equal texts might part',
  (type) => {
    expect(() => shardCondition(tableWith(type), { index: 0, count: 2 })).toThrow(
      expect.objectContaining({ code: 'shard_column', message: expect.stringContaining(`is of type ${type}, `) }),
    );
  },
);

test('a server without row filters or failover slots is told apart by its version', () => {
  const settings = { publication: 'p', shard: { index: 1, count: 2 } };
  expect(() => publicationSql(tableWith('text'), settings, 140_023)).toThrow(
    expect.objectContaining({ code: 'shard_version', message: expect.stringContaining('PostgreSQL 14') }),
  );
  expect(publicationSql(tableWith('text'), settings, 150_000)).toContain(' WHERE ((');
  expect(publicationSql(tableWith('text'), { publication: 'p' }, 140_023)).not.toContain('"id"');
  expect(() => slotSql({ slot: 's', failover: true }, 160_014)).toThrow(
    expect.objectContaining({ code: 'failover_version', message: expect.stringContaining('PostgreSQL 16') }),
  );
});
