/** Judgements over what the server says of itself: pure. */
import { type Check, failure, ok, warning } from '../checks.ts';
import type { ServerRoom } from './preflight-facts.ts';

const longSeconds = 600;
const outageSeconds = 3600;
const skewMs = 2_000;
const spillBytes = 2 ** 30;
/** A walsender, two that ask beside it, and one that reads the table. */
const connectionsAtOnce = 4;

/** What our own capture takes of the room already, and what it is to have. */
export interface Wanted {
  slotThere: boolean;
  slotActive: boolean;
  slot: string;
  failover: boolean;
  /** Of `postgres.url`. */
  host: string;
  /** Who answers is checked against a certificate authority, where the connection is encrypted. */
  verified: boolean;
  /** Of this machine, milliseconds since 1970, in the middle of the question. */
  now: number;
}

/** Those that concern a running capture; a clock that is off and long transactions concern `doctor` alone. */
export function roomChecks(room: ServerRoom, wanted: Wanted): Check[] {
  return [
    slotsCheck(room, wanted),
    sendersCheck(room, wanted),
    keepCheck(room),
    idleSlotCheck(room),
    senderTimeoutCheck(room),
    tlsCheck(room, wanted),
    connectionsCheck(room),
    countsCheck(room),
    ...(wanted.failover ? [standbyCheck(room)] : []),
  ];
}

export function momentChecks(room: ServerRoom, { slot, now }: Wanted): Check[] {
  return [transactionCheck(room), preparedCheck(room), spillCheck(room, slot), clockCheck(room, now)];
}

function slotsCheck({ slots, maxSlots }: ServerRoom, { slotThere }: Wanted): Check {
  const name = 'slot_limit';
  const used = `${slots} of ${maxSlots} replication slots are in use`;
  const remedy = `ALTER SYSTEM SET max_replication_slots = ${maxSlots + 5}, then restart the server; or drop an abandoned slot (pg_replication_slots)`;
  if (slots < maxSlots) return ok(name, used);
  return slotThere
    ? warning(name, `${used}: run --from beginning and recover need a free one for a moment`, remedy)
    : failure(name, used, remedy);
}

function sendersCheck({ senders, maxSenders }: ServerRoom, { slotActive }: Wanted): Check {
  const name = 'sender_limit';
  const used = `${senders} of ${maxSenders} WAL senders are in use`;
  const remedy = `ALTER SYSTEM SET max_wal_senders = ${maxSenders + 5}, then restart the server`;
  if (senders < maxSenders) return ok(name, used);
  return slotActive
    ? warning(name, `${used}: a connection that is made again may have to wait for one`, remedy)
    : failure(name, used, remedy);
}

function keepCheck({ keepBytes, walBytesPerSecond }: ServerRoom): Check {
  const name = 'max_slot_wal_keep_size';
  if (keepBytes < 0) {
    return warning(
      name,
      'max_slot_wal_keep_size is -1: WAL for a slot that nobody reads fills the disk of the server',
      "ALTER SYSTEM SET max_slot_wal_keep_size = '50GB' (what the disk can spare), then SELECT pg_reload_conf()",
    );
  }
  const kept = `max_slot_wal_keep_size is ${mebibytes(keepBytes)}`;
  if (walBytesPerSecond === null || walBytesPerSecond <= 0) return ok(name, kept);
  const seconds = keepBytes / walBytesPerSecond;
  const lasts = `${kept}, which lasts for ${duration(seconds)} without a capture at the server's average of ${mebibytes(walBytesPerSecond * 3600)} of WAL an hour`;
  if (seconds >= outageSeconds) return ok(name, lasts);
  const dayGibibytes = Math.ceil((walBytesPerSecond * 24 * 3600) / 2 ** 30);
  return warning(
    name,
    `${lasts}: then the slot is lost`,
    `ALTER SYSTEM SET max_slot_wal_keep_size = '${dayGibibytes}GB' (a day), then SELECT pg_reload_conf()`,
  );
}

function idleSlotCheck({ idleSlotSeconds }: ServerRoom): Check {
  const name = 'idle_replication_slot_timeout';
  if (idleSlotSeconds === 0) return ok(name, 'no slot is dropped for being idle');
  const said = `idle_replication_slot_timeout is ${duration(idleSlotSeconds)}: a capture that is away for longer loses its slot`;
  if (idleSlotSeconds >= 24 * 3600) return ok(name, said);
  return warning(name, said, "ALTER SYSTEM SET idle_replication_slot_timeout = '2d', then SELECT pg_reload_conf()");
}

function senderTimeoutCheck({ walSenderTimeoutMs }: ServerRoom): Check {
  const name = 'wal_sender_timeout';
  if (walSenderTimeoutMs > 0) return ok(name, `wal_sender_timeout is ${duration(walSenderTimeoutMs / 1000)}`);
  return warning(
    name,
    'wal_sender_timeout is 0: the server never notices that a capture is gone, and keeps the slot for the dead one',
    "ALTER SYSTEM SET wal_sender_timeout = '60s', then SELECT pg_reload_conf()",
  );
}

function connectionsCheck({ connectionLimit }: ServerRoom): Check {
  const name = 'connection_limit';
  if (connectionLimit < 0) return ok(name, 'the role may have any number of connections');
  const said = `the role may have ${connectionLimit} connections, and a capture has up to ${connectionsAtOnce}`;
  if (connectionLimit >= connectionsAtOnce) return ok(name, said);
  return warning(name, said, `ALTER ROLE <role of postgres.url> CONNECTION LIMIT ${2 * connectionsAtOnce}`);
}

function countsCheck({ counts }: ServerRoom): Check {
  const name = 'track_counts';
  if (counts) return ok(name, 'the server counts updates and deletes');
  return warning(
    name,
    'track_counts is off: rows of the log that are updated or deleted are not noticed',
    'ALTER SYSTEM SET track_counts = on, then SELECT pg_reload_conf()',
  );
}

function tlsCheck({ encrypted }: ServerRoom, { host, verified }: Wanted): Check {
  const name = 'source_tls';
  if (encrypted && verified) return ok(name, "the connection is encrypted, and the server's certificate was verified");
  if (encrypted) {
    return warning(
      name,
      `the connection to ${host} is encrypted, and the certificate not verified: whoever stands between can read the rows`,
      'set sslmode=verify-full (and sslrootcert) in postgres.url',
    );
  }
  if (/^(localhost|127\..*|::1|\/.*)$/.test(host)) return ok(name, 'the connection stays on this host, unencrypted');
  return warning(
    name,
    `the connection to ${host} is not encrypted: rows can be read on their way`,
    'add sslmode=verify-full (and sslrootcert) to postgres.url',
  );
}

function standbyCheck({ synchronizedStandbySlots }: ServerRoom): Check {
  const name = 'synchronized_standby_slots';
  if (synchronizedStandbySlots) return ok(name, `the stream waits for ${synchronizedStandbySlots}`);
  return warning(
    name,
    'the stream waits for no standby: after a failover this capture can hold rows that the new primary lacks',
    "ALTER SYSTEM SET synchronized_standby_slots = '<physical slot of the standby>', then SELECT pg_reload_conf()",
  );
}

function transactionCheck({ oldestWrite, blind }: ServerRoom): Check {
  const name = 'long_transaction';
  if (oldestWrite === null || oldestWrite.seconds < longSeconds) {
    return ok(name, blind ? 'no long transaction that this role may see' : 'no transaction has been open for long');
  }
  return warning(
    name,
    `a transaction of pid ${oldestWrite.pid} has been open for ${duration(oldestWrite.seconds)}: the server keeps the WAL since then, and no slot can be created before it ends`,
    `look at it in pg_stat_activity; SELECT pg_terminate_backend(${oldestWrite.pid}) ends it`,
  );
}

function preparedCheck({ oldestPrepared }: ServerRoom): Check {
  const name = 'prepared_transaction';
  if (oldestPrepared === null || oldestPrepared.seconds < longSeconds) {
    return ok(name, 'no transaction has been prepared for long');
  }
  const gid = `'${oldestPrepared.gid.replaceAll("'", "''")}'`;
  return warning(
    name,
    `a transaction was prepared ${duration(oldestPrepared.seconds)} ago and not ended: the server keeps the WAL since then, and no slot can be created`,
    `COMMIT PREPARED ${gid} or ROLLBACK PREPARED ${gid}`,
  );
}

function spillCheck({ spilledBytes, decodingMemory }: ServerRoom, slot: string): Check {
  const name = 'decoding_spill';
  const said = `slot ${slot} wrote ${mebibytes(spilledBytes)} of large transactions to the server's disk (logical_decoding_work_mem is ${decodingMemory})`;
  if (spilledBytes < spillBytes) return ok(name, said);
  return warning(name, said, "ALTER SYSTEM SET logical_decoding_work_mem = '256MB', then SELECT pg_reload_conf()");
}

function clockCheck(room: ServerRoom, now: number): Check {
  const name = 'clock_skew';
  const aheadMs = Math.round(now - room.now);
  if (Math.abs(aheadMs) < skewMs) return ok(name, "this machine's clock agrees with the server's");
  return warning(
    name,
    `this machine's clock is ${Math.abs(aheadMs / 1000).toFixed(1)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the server's: sessions end by the server's, and tc_source_watermark_delay_seconds is off by that much`,
    'synchronise the clocks (NTP)',
  );
}

export function mebibytes(n: number): string {
  return `${Math.round(n / 2 ** 20).toLocaleString('en')} MiB`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  return seconds < 48 * 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}
