/**
 * One walsender connection through pg-logical-replication, used in its one lossless way: no automatic acknowledgement,
 * no timer and no flow control of its own, an explicit start position. It starts the stream and writes the statuses; the
 * messages are read here, since it would write out a position and emit an event for each. Nothing else here knows the
 * library, so that it could be replaced.
 */
import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { LogicalReplicationService } from 'pg-logical-replication';
import { crashPoint } from '../crash-points.ts';
import { messageOf, OperatorError, retry, stop } from '../errors.ts';
import { pause } from '../lifecycle.ts';
import { explainPostgres, openClient, replicationConfig, sqlState } from '../postgres/connection.ts';
import { quoteIdent, quoteLiteral } from '../postgres/quote.ts';
import type { Lsn, ResumeLsn } from '../records.ts';
import { byteBefore, readLsn, shortLsn } from './lsn.ts';
import type { Message } from './pgoutput.ts';

/** Whose positions these are. They mean nothing under another identity. */
export interface Identity {
  system_identifier: string;
  timeline: string;
  slot: string;
  publication: string;
}

export interface ReplicationOptions {
  url: string;
  slot: string;
  publication: string;
  /** Where to begin. Never beyond what is in hand: the server skips what lies before, without an error. */
  start: ResumeLsn;
  /** Asked on the same connection before it streams, in statements without parameters. What it throws is passed on. */
  before(client: pg.Client): Promise<void>;
  /** The message that begins at `at` and goes to the end of the buffer. */
  decode(buffer: Buffer, at: number): Message;
  /** Called within the socket's callback, in the order of the stream. */
  onMessage(message: Message): void;
  /** A keepalive: the server has sent everything up to `lsn`. */
  onKeepalive(lsn: Lsn, replyRequested: boolean): void;
  /** What is durable here, for status updates. */
  durable(): ResumeLsn;
}

export interface Replication {
  identity: Omit<Identity, 'slot' | 'publication'>;
  /** Tells the server what is durable; with `ping` it answers with its position. */
  status(ping: boolean): void;
  pauseReading(): void;
  resumeReading(): void;
  /** Settles when the connection is over: rejects with a classified error, resolves after {@link close}. */
  ended: Promise<void>;
  /** A last status, then the end. */
  close(): Promise<void>;
}

/** What node-postgres holds and its types leave out. */
interface Wire {
  stream: Duplex;
  once(event: string, listener: () => void): void;
  on(event: 'copyData', listener: (message: { chunk: Buffer }) => void): void;
  end(): void;
}

const goodbyeMs = 2_000;

/** First bytes of what a walsender sends. https://www.postgresql.org/docs/current/protocol-replication.html */
const xLogData = 0x77;
const keepalive = 0x6b;
/** Before the message of an XLogData: its kind, where it lies in the WAL, the server's position, the server's time. */
const xLogDataHeader = 25;
/** In a keepalive, after its kind, the server's position and time. */
const replyRequestedAt = 17;

function pluginOf(publication: string) {
  return {
    name: 'pgoutput',
    options: null,
    start: (client: pg.Client, slot: string, lsn: string): Promise<unknown> => {
      const names = quoteLiteral(quoteIdent(publication));
      return client.query(
        `START_REPLICATION SLOT ${quoteIdent(slot)} LOGICAL ${lsn} (proto_version '1', publication_names ${names})`,
      );
    },
    parse: () => {
      throw new Error('pg-logical-replication is given no messages to parse');
    },
  };
}

/**
 * Connects and starts streaming.
 *
 * @throws OperatorError where the connection can't be made; a refusal to start rejects {@link Replication.ended}, with
 * code `slot_active`, `slot_missing`, `slot_lost` or `publication_missing`.
 */
export async function replicate(options: ReplicationOptions): Promise<Replication> {
  const { client, identity, senderTimeoutMs } = await openWalsender(options.url, 'capture');
  try {
    await options.before(client);
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
  const connection = (client as unknown as { connection: Wire }).connection;
  const service = new LogicalReplicationService({}, { acknowledge: { auto: false, timeoutSeconds: 0 } });
  // The connection is ours, so that its socket can be paused; of what it brings the library hears the start alone.
  const starting = { once: connection.once.bind(connection), on: () => starting };
  Object.assign(service, {
    client: async () => {
      Object.assign(service, { _client: client, _connection: connection });
      return [client, starting];
    },
  });

  let failure: unknown;
  let paused = false;
  let lastByteAt = performance.now();
  const fail = (error: unknown) => {
    failure ??= error;
    connection.stream.destroy();
  };
  const status = (ping: boolean) => {
    // `acknowledge` adds one to an LSN that is "next byte" already; a commit record that begins exactly there would be
    // skipped for ever.
    if (failure !== undefined) return;
    void service.acknowledge(shortLsn(byteBefore(options.durable())), ping);
    crashPoint('confirm.sent');
  };
  connection.stream.on('data', () => {
    lastByteAt = performance.now();
  });
  service.on('error', () => {});
  const takeKeepalive = (chunk: Buffer) => {
    const { lsn, replyRequested } = readKeepalive(chunk);
    options.onKeepalive(lsn, replyRequested);
    if (replyRequested) status(false);
  };
  // Runs within a socket callback, where anything thrown would end the process.
  connection.on('copyData', ({ chunk }) => {
    if (failure !== undefined) return;
    try {
      if (chunk[0] === xLogData) options.onMessage(options.decode(chunk, xLogDataHeader));
      else takeKeepalive(chunk);
    } catch (error) {
      fail(explainMessage(error, chunk));
    }
  });
  client.on('error', (error) => {
    failure ??= error;
  });
  // From PostgreSQL 18 on the server goes on without a publication that it does not find, and leaves its rows out.
  client.on('notice', ({ code, message }) => {
    const isSkipped = code === '55000' && message?.includes(`"${options.publication}"`) === true;
    if (isSkipped) fail(publicationTooYoung(options.publication));
  });

  const { everyMs, deadMs } = timings(senderTimeoutMs);
  const timer = setInterval(() => {
    status(true);
    if (!paused && isDead(performance.now() - lastByteAt, deadMs)) {
      fail(retry('source_unreachable', `no byte from the walsender for ${deadMs} ms: connecting again`));
    }
  }, everyMs);

  let closing = false;
  const plugin = pluginOf(options.publication);
  const ended = service
    .subscribe(plugin, options.slot, shortLsn(options.start))
    .then(
      () => {
        if (!closing) throw failure ?? retry('source_unreachable', 'the server ended the stream: connecting again');
      },
      (error: unknown) => {
        if (!closing) throw explainStream(failure ?? error, options);
      },
    )
    .finally(async () => {
      clearInterval(timer);
      await end(service, client, connection);
    });
  ended.catch(() => {});

  return {
    identity,
    status,
    ended,
    pauseReading: () => {
      if (paused) return;
      paused = true;
      connection.stream.pause();
    },
    resumeReading: () => {
      if (!paused) return;
      paused = false;
      // What lay in the socket's buffer says nothing of how long the server was silent.
      lastByteAt = performance.now();
      connection.stream.resume();
    },
    close: async () => {
      if (!closing) {
        status(false);
        closing = true;
        await end(service, client, connection);
      }
      await ended.catch(() => {});
    },
  };
}

/** @throws Error where it is another message. */
export function readKeepalive(chunk: Buffer): { lsn: Lsn; replyRequested: boolean } {
  if (chunk[0] !== keepalive) throw new Error(`unknown replication message 0x${(chunk[0] ?? 0).toString(16)}`);
  return { lsn: readLsn(chunk, 1), replyRequested: chunk[replyRequestedAt] === 1 };
}

/** A status at two thirds of the server's patience; dead after twice it. Zero (no timeout) counts as the default, 60 s. */
export function timings(senderTimeoutMs: number): { everyMs: number; deadMs: number } {
  const patienceMs = senderTimeoutMs > 0 ? senderTimeoutMs : 60_000;
  return { everyMs: Math.round(patienceMs * 0.66), deadMs: patienceMs * 2 };
}

export function isDead(silentMs: number, deadMs: number): boolean {
  return silentMs > deadMs;
}

/** A walsender connection that does not stream yet, with what it says of the server. */
export async function openWalsender(url: string, purpose: string, settings: Record<string, string> = {}) {
  const client = await openClient(replicationConfig(url, { purpose, settings }));
  try {
    const { rows } = await client.query('IDENTIFY_SYSTEM');
    const timeout = await client.query("SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'");
    // To decode a transaction takes one on the server, which sends it as slowly as we read. Only known from 17 on.
    await client.query("SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'");
    return {
      client,
      identity: { system_identifier: String(rows[0].systemid), timeline: String(rows[0].timeline) },
      senderTimeoutMs: Number(timeout.rows[0].setting),
    };
  } catch (error) {
    await client.end().catch(() => {});
    throw explainPostgres(error, url);
  }
}

/**
 * `client.end()` destroys the socket under a running query, and with it the status that was just written: the goodbye is
 * said on the connection itself. A paused socket never sees the other side's end, so it is read on; and it is cut where
 * the server takes too long, as within a large transaction.
 */
async function end(service: LogicalReplicationService, client: pg.Client, connection: Wire): Promise<void> {
  const { stream } = connection;
  service.removeAllListeners();
  service.on('error', () => {});
  if (!stream.destroyed) {
    stream.resume();
    const closed = new AbortController();
    stream.once('close', () => closed.abort());
    connection.end();
    await pause(goodbyeMs, closed.signal);
    stream.destroy();
  }
  await client.end().catch(() => {});
}

function explainMessage(error: unknown, chunk: Buffer): OperatorError {
  const at = chunk.length < xLogDataHeader ? 'an unknown position' : shortLsn(readLsn(chunk, 1));
  if (error instanceof OperatorError) {
    return new OperatorError(`${error.message} (at ${at})`, {
      kind: error.kind,
      code: error.code,
      exitCode: error.exitCode,
    });
  }
  return stop(
    'source_protocol',
    `the stream could not be read at ${at}: ${messageOf(error)}: nothing from there on was taken in or confirmed`,
    { cause: error },
  );
}

function explainStream(error: unknown, { url, slot, publication }: ReplicationOptions): OperatorError {
  if (error instanceof OperatorError) return error;
  const code = sqlState(error);
  const said = messageOf(error);
  if (code === '55006') {
    const pid = /PID (\d+)/.exec(said)?.[1] ?? 'unknown';
    return retry(
      'slot_active',
      `slot ${slot} is in use by the server process with pid ${pid}: is another capture running?`,
    );
  }
  if (code === '42704' && said.includes('publication')) {
    return publicationTooYoung(publication, error);
  }
  if (code === '42704')
    return stop('slot_missing', `no replication slot ${slot} (${said}): run init; where there was one, run recover`, {
      cause: error,
    });
  if (code === '55000' || /can no longer get changes|invalidated|lost/.test(said)) {
    return stop(
      'slot_lost',
      `slot ${slot} can no longer be read (${said}): the rows since are only in the table: run recover`,
      { cause: error },
    );
  }
  return explainPostgres(error, url, 'stream');
}

function publicationTooYoung(publication: string, cause?: unknown): OperatorError {
  return stop(
    'publication_missing',
    `publication ${publication} does not exist at the position the stream is at: it must be older than the slot; \`trajectory-compiler recover\` makes a new slot and takes in from the table what is missing`,
    { cause },
  );
}
