/** The transport that the settings ask for. */
import { existsSync } from 'node:fs';
import type { CallStore } from '../compile/calls.ts';
import type { Config } from '../config.ts';
import { crashPoint } from '../crash-points.ts';
import { exitCodes, park, stop } from '../errors.ts';
import { persevere, type Releasers } from '../lifecycle.ts';
import type { Logger } from '../log.ts';
import { type AuditReader, openAuditReader } from '../postgres/rows.ts';
import type { Journal } from '../sessionizer/journal.ts';
import { type JournalReader, openJournalReader } from '../sessionizer/journal-reader.ts';
import { filesOf, kafkaConnection, kafkaTopicSettings, tableSettings, urlOf } from '../stages.ts';
import { openKafka } from '../topic/kafka/client.ts';
import type { RowReader } from './claims.ts';
import { type EmbeddedTransportOptions, embeddedTransport } from './embedded.ts';
import { kafkaTransport } from './kafka.ts';
import { refuseLeftovers } from './leftovers.ts';
import type { Transport } from './transport.ts';

export interface TransportParts {
  /** Null where another process captures. */
  journal: Journal | null;
  /** Null where other processes compile. */
  calls: Pick<CallStore, 'id'> | null;
}

export function openTransport(
  config: Config,
  { journal, calls }: TransportParts,
  { log, drain }: { log: Logger; drain: AbortSignal },
  releasers: Releasers,
): Transport {
  const sinks = config.sinks;
  const maxAttempts = config['compile.maxAttempts'];
  if (config['topics.transport'] === 'embedded') {
    const bodies = journal === null ? bodiesOfAnother(config, releasers) : bodiesOf(journal);
    return embeddedTransport({ path: filesOf(config).topics, maxAttempts, sinks, bodies, log }, releasers);
  }
  // A claim that comes after days would stop the worker for want of it.
  if (calls !== null) urlOf(config);
  const transport = kafkaTransport(
    {
      ...kafkaTopicSettings(config),
      openCluster: () => openKafka({ ...kafkaConnection(config), signal: drain, log }),
      sinks,
      maxAttempts,
      assemble: (id) => {
        if (journal === null) throw stop('no_journal', 'trajectories are published by the process that captures');
        return journal.outbox.assemble(id);
      },
      openReader: readerOnDemand(config, { log, drain }, releasers),
      peers: calls === null ? {} : { memberTag: calls.id, onPeers: (tags) => refuseOtherStores(calls.id, tags) },
      log,
    },
    releasers,
  );
  return {
    ...transport,
    async openTrajectories() {
      if (journal !== null) await refuseLeftovers(filesOf(config).topics, log);
      return await transport.openTrajectories();
    },
  };
}

function bodiesOf(journal: Journal): EmbeddedTransportOptions['bodies'] {
  return {
    assemble: (id) => journal.outbox.assemble(id),
    forget: (ids) => {
      journal.outbox.forget(ids);
      crashPoint('outbox.forgotten');
    },
  };
}

/** The journal of the process that captures into the same data directory; that process forgets what is finished. */
function bodiesOfAnother(config: Config, releasers: Releasers): EmbeddedTransportOptions['bodies'] {
  const path = filesOf(config).journal;
  let reader: JournalReader | null = null;
  return {
    assemble(id) {
      if (reader === null) {
        if (!existsSync(path))
          throw park('trajectory_unknown', `there is no journal at ${path} to read trajectories from`);
        const opened = openJournalReader(path);
        releasers.push('journal reader', () => opened.close());
        reader = opened;
      }
      return reader.outbox.assemble(id);
    },
    forget: () => {},
  };
}

/** Claims are rare: the audit log is connected to at the first, and waited for while it is away. */
function readerOnDemand(
  config: Config,
  patience: { log: Logger; drain: AbortSignal },
  releasers: Releasers,
): () => Promise<RowReader> {
  const waiting = { log: patience.log, signal: patience.drain, doing: 'read a large trajectory from the audit log' };
  let opening: Promise<AuditReader> | null = null;
  const open = async () => {
    const reader = await openAuditReader({ url: urlOf(config), ...tableSettings(config) });
    releasers.push('reader of claims', () => reader.close());
    return reader;
  };
  return async () => {
    opening ??= persevere(open, waiting).catch((error: unknown) => {
      opening = null;
      throw error;
    });
    const reader = await opening;
    return { source: reader.source, readRows: (keys) => persevere(() => reader.readRows(keys), waiting) };
  };
}

/** What a model answered on one host must be known on all, or it is paid for again (P4). */
function refuseOtherStores(id: string, tags: readonly string[]): void {
  if (tags.every((tag) => tag === id)) return;
  throw stop(
    'calls_not_shared',
    'another compile worker of this group records what models answer in a place of its own, so answers would be paid for twice: give all of them the same Postgres database as calls.url (on one host, the same dataDir)',
    { exitCode: exitCodes.configuration },
  );
}
