/** Each thing that a server, a slot or a table can lack is told, with what mends it. */
import { expect, test } from 'vitest';
import type { Check } from '../../src/checks.ts';
import type { AuditTable } from '../../src/postgres/audit-table.ts';
import { explainPostgres, replicationConfig } from '../../src/postgres/connection.ts';
import type { Lsn } from '../../src/records.ts';
import type { ServerRoom } from '../../src/stream/preflight-facts.ts';
import { ageCheck, type PublicationRoom, publicationChecks } from '../../src/stream/preflight-publication.ts';
import { momentChecks, roomChecks, type Wanted } from '../../src/stream/preflight-server.ts';
import { slotChecks } from '../../src/stream/preflight-slot.ts';
import type { SlotState } from '../../src/stream/slot.ts';

const gibibyte = 2 ** 30;

const room: ServerRoom = {
  slots: 1,
  maxSlots: 10,
  senders: 1,
  maxSenders: 10,
  keepBytes: 50 * gibibyte,
  walBytesPerSecond: 1_000,
  idleSlotSeconds: 0,
  walSenderTimeoutMs: 60_000,
  oldestWrite: null,
  oldestPrepared: null,
  blind: false,
  encrypted: true,
  now: 1_000_000,
  synchronizedStandbySlots: 'standby',
  spilledBytes: 0,
  decodingMemory: '64MB',
  counts: true,
  connectionLimit: -1,
};

const wanted: Wanted = {
  slotThere: true,
  slotActive: true,
  slot: 's',
  failover: true,
  host: 'db.example',
  verified: true,
  now: 1_000_000,
};

const slot: SlotState = {
  confirmedFlush: '00000000/00000001' as Lsn,
  flushed: '00000000/00000001' as Lsn,
  restartLsn: '00000000/00000001' as Lsn,
  active: true,
  activePid: 1,
  walStatus: 'reserved',
  retainedBytes: 100,
  safeWalBytes: null,
  failover: true,
  synced: false,
  inactiveSince: null,
};

const troubles = (checks: Check[]) =>
  checks.filter(({ outcome }) => outcome !== 'ok').map(({ name, outcome }) => [name, outcome]);

const judge = (facts: Partial<ServerRoom>, ours: Partial<Wanted> = {}) => {
  const [all, more] = [
    { ...room, ...facts },
    { ...wanted, ...ours },
  ];
  return [...roomChecks(all, more), ...momentChecks(all, more)];
};

test('a server that is well set up has nothing to be told', () => {
  expect(troubles(judge({}))).toEqual([]);
  expect(troubles(slotChecks('s', slot, true))).toEqual([]);
});

test.each<[name: string, outcome: string, facts: Partial<ServerRoom>, ours: Partial<Wanted>, said: RegExp]>([
  ['slot_limit', 'failure', { slots: 10 }, { slotThere: false }, /10 of 10.*max_replication_slots/],
  ['slot_limit', 'warning', { slots: 10 }, {}, /recover need a free one/],
  ['sender_limit', 'failure', { senders: 10 }, { slotActive: false }, /max_wal_senders = 15/],
  ['sender_limit', 'warning', { senders: 10 }, {}, /10 of 10/],
  ['max_slot_wal_keep_size', 'warning', { keepBytes: -1 }, {}, /fills the disk/],
  ['max_slot_wal_keep_size', 'warning', { keepBytes: gibibyte, walBytesPerSecond: 2 ** 20 }, {}, /17 min.*'85GB'/],
  ['idle_replication_slot_timeout', 'warning', { idleSlotSeconds: 600 }, {}, /10 min.*loses its slot/],
  ['wal_sender_timeout', 'warning', { walSenderTimeoutMs: 0 }, {}, /never notices/],
  ['source_tls', 'warning', { encrypted: false }, {}, /sslmode=verify-full/],
  ['source_tls', 'warning', {}, { verified: false }, /not verified.*sslmode=verify-full/],
  ['connection_limit', 'warning', { connectionLimit: 2 }, {}, /may have 2 connections.*CONNECTION LIMIT/],
  ['track_counts', 'warning', { counts: false }, {}, /track_counts = on/],
  ['synchronized_standby_slots', 'warning', { synchronizedStandbySlots: '' }, {}, /after a failover/],
  ['long_transaction', 'warning', { oldestWrite: { seconds: 3600, pid: 7 } }, {}, /60 min.*pg_terminate_backend\(7\)/],
  ['prepared_transaction', 'warning', { oldestPrepared: { seconds: 3600, gid: "it's" } }, {}, /PREPARED 'it''s'/],
  ['decoding_spill', 'warning', { spilledBytes: 5 * gibibyte }, {}, /5,120 MiB.*logical_decoding_work_mem/],
  ['clock_skew', 'warning', { now: 995_000 }, {}, /5\.0 s ahead of/],
])('%s is a %s', (name, outcome, facts, ours, said) => {
  const checks = judge(facts, ours);
  expect(troubles(checks)).toEqual([[name, outcome]]);
  const { sentence, remedy } = checks.find((check) => check.name === name)!;
  expect(`${sentence}: ${remedy}`).toMatch(said);
});

test.each<[name: string, state: Partial<SlotState>, said: RegExp]>([
  ['slot_endangered', { walStatus: 'unreserved', safeWalBytes: 0 }, /unreserved.*0 MiB before it may be lost/],
  ['slot_endangered', { retainedBytes: 3 * gibibyte, safeWalBytes: gibibyte / 2 }, /512 MiB before/],
  ['slot_failover', { failover: false }, /ALTER_REPLICATION_SLOT/],
  [
    'slot_active',
    { active: false, retainedBytes: 2 * gibibyte, inactiveSince: '2030-01-01' },
    /since 2030-01-01.*teardown/,
  ],
])('%s is told of a slot', (name, state, said) => {
  const checks = slotChecks('s', { ...slot, ...state }, true);
  expect(troubles(checks)).toEqual([[name, 'warning']]);
  const { sentence, remedy } = checks.find((check) => check.name === name)!;
  expect(`${sentence}: ${remedy}`).toMatch(said);
});

const published: PublicationRoom = {
  updates: false,
  deletes: false,
  truncates: true,
  otherTables: [],
  whole: false,
  joinedLater: false,
};

test.each<[name: string, room: Partial<PublicationRoom>, said: RegExp]>([
  ['publication_actions', { updates: true }, /own statements fail.*SET \(publish = 'insert, truncate'\)/],
  ['publication_actions', { deletes: true }, /own statements fail/],
  ['publication_actions', { truncates: false }, /not noticed.*SET \(publish = 'insert, truncate'\)/],
  ['publication_tables', { otherTables: ['public.a', 'x."B"'] }, /2 more tables.*"p" DROP TABLE public\.a, x\."B"/],
  ['publication_tables', { otherTables: ['public.a'], whole: true }, /a name of its own and run recover/],
  ['publication_joined', { joinedLater: true }, /while it was not in it.*backfill --since/],
])('%s is told of a publication', (name, facts, said) => {
  const [names, table] = [{ slot: 's', publication: 'p' }, { sql: 'public.audit_log' } as AuditTable];
  expect(troubles(publicationChecks(names, table, published))).toEqual([]);
  const checks = publicationChecks(names, table, { ...published, ...facts });
  expect(troubles(checks)).toEqual([[name, 'warning']]);
  const { sentence, remedy } = checks.find((check) => check.name === name)!;
  expect(`${sentence}: ${remedy}`).toMatch(said);
});

test('a publication whose age could not be told within the time is no failure, and not green', () => {
  const names = { slot: 's', publication: 'p' };
  const ages = ['older', 'streaming', 'readable', 'unread'] as const;
  expect(ages.map((age) => ageCheck(names, age).outcome)).toEqual(['ok', 'ok', 'ok', 'warning']);
});

test('a local connection needs no encryption', () => {
  expect(troubles(judge({ encrypted: false }, { host: '127.0.0.1' }))).toEqual([]);
});

test('the poolers of Supabase are refused with the direct connection in their place', () => {
  const refused = (url: string) => () => replicationConfig(url, { purpose: 'capture' });
  const direct = /db\.abcdefgh\.supabase\.co:5432 and its user to postgres/;
  expect(refused('postgres://postgres.abcdefgh:x@aws-0-eu-west-2.pooler.supabase.com:5432/postgres')).toThrow(direct);
  expect(refused('postgres://postgres.abcdefgh:x@aws-0-eu-west-2.pooler.supabase.com:6543/postgres')).toThrow(direct);
  expect(refused('postgres://postgres:x@db.abcdefgh.supabase.co:6543/postgres')).toThrow(direct);
  expect(refused('postgres://postgres:x@db.abcdefgh.supabase.co:5432/postgres')).not.toThrow();
});

test.each(['ENOTFOUND', 'ENETUNREACH'])('a Supabase host that has an IPv6 address alone is explained (%s)', (code) => {
  const error = Object.assign(new Error(`connect ${code}`), { code });
  const url = (host: string) => `postgres://postgres:hunter2@${host}:5432/postgres`;
  const explained = explainPostgres(error, url('db.abcdefgh.supabase.co'));
  expect(explained).toMatchObject({ kind: 'retry', code: 'source_unreachable', exitCode: 5 });
  expect(explained.message).toMatch(/IPv6 only.*IPv4 add-on/);
  expect(explained.message).not.toContain('hunter2');
  expect(explainPostgres(error, url('db.example')).message).not.toContain('IPv6');
});
