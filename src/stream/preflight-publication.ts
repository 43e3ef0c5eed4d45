/** What a publication may be beside what a stream can't do without: what it sends too much or too little of, and since when. */
import { type Check, ok, warning } from '../checks.ts';
import type { AuditTable } from '../postgres/audit-table.ts';
import { quoteIdent } from '../postgres/quote.ts';
import type { CaptureNames } from './provision.ts';
import type { Age } from './publication-age.ts';
import type { Queryable } from './setup-faults.ts';

export interface PublicationRoom {
  updates: boolean;
  deletes: boolean;
  truncates: boolean;
  /** As they are quoted in SQL. */
  otherTables: string[];
  /** It has every table, or every one of a schema: none can be taken out. */
  whole: boolean;
  /** The table came into it, or was changed in it, after it was made and perhaps after what the slot holds. */
  joinedLater: boolean;
}

/** The publication must exist. */
export async function readPublicationRoom(
  client: Queryable,
  { publication, slot }: CaptureNames,
  { oid, schema, name }: AuditTable,
): Promise<PublicationRoom> {
  const { rows } = await client.query(
    `SELECT json_build_object(
       'updates', pubupdate, 'deletes', pubdelete, 'truncates', pubtruncate,
       'otherTables', (SELECT coalesce(json_agg(format('%I.%I', schemaname, tablename) ORDER BY schemaname, tablename), '[]')
                         FROM pg_publication_tables t WHERE t.pubname = p.pubname AND (schemaname, tablename) <> ($3, $4)),
       'whole', (SELECT count(*) = 0 FROM pg_publication_rel r WHERE r.prpubid = p.oid),
       'joinedLater', EXISTS (SELECT FROM pg_publication_rel r, pg_replication_slots s
                         WHERE r.prpubid = p.oid AND r.prrelid = $5::oid AND s.slot_name = $2
                           AND r.xmin <> p.xmin AND age(r.xmin) <= age(s.catalog_xmin)))::text AS room
       FROM pg_publication p WHERE pubname = $1`,
    [publication, slot, schema, name, String(oid)],
  );
  return JSON.parse(rows[0].room) as PublicationRoom;
}

export function publicationChecks(names: CaptureNames, { sql }: AuditTable, room: PublicationRoom): Check[] {
  return [actionsCheck(names, sql, room), tablesCheck(names, sql, room), joinedCheck(names, sql, room)];
}

function actionsCheck({ publication }: CaptureNames, sql: string, room: PublicationRoom): Check {
  const name = 'publication_actions';
  const remedy = `ALTER PUBLICATION ${quoteIdent(publication)} SET (publish = 'insert, truncate')`;
  if (room.updates || room.deletes) {
    return warning(
      name,
      `publication ${publication} publishes updates or deletes: they are left out here, and where ${sql} has no replica identity its owner's own statements fail`,
      remedy,
    );
  }
  if (room.truncates) return ok(name, `publication ${publication} publishes inserts and truncates alone`);
  return warning(name, `publication ${publication} publishes no truncates: one of ${sql} is not noticed`, remedy);
}

function tablesCheck({ publication }: CaptureNames, sql: string, { otherTables, whole }: PublicationRoom): Check {
  const name = 'publication_tables';
  if (otherTables.length === 0) return ok(name, `publication ${publication} has ${sql} alone`);
  const named = `${otherTables.slice(0, 3).join(', ')}${otherTables.length > 3 ? ' and others' : ''}`;
  return warning(
    name,
    `publication ${publication} has ${otherTables.length} more tables (${named}): their rows are sent, left out and counted as other_table`,
    whole
      ? 'set postgres.publication to a name of its own and run recover, which makes it with the table alone'
      : `ALTER PUBLICATION ${quoteIdent(publication)} DROP TABLE ${otherTables.join(', ')}`,
  );
}

function joinedCheck({ publication, slot }: CaptureNames, sql: string, { joinedLater }: PublicationRoom): Check {
  const name = 'publication_joined';
  if (!joinedLater) return ok(name, `${sql} is in publication ${publication} for all that slot ${slot} holds`);
  return warning(
    name,
    `${sql} was put into publication ${publication}, or changed in it, later than some of what slot ${slot} holds: rows that were inserted while it was not in it are not in the stream`,
    'once run has caught up, backfill --since the time of that change',
  );
}

export function ageCheck({ publication, slot }: CaptureNames, age: Age): Check {
  const name = 'publication_age';
  if (age === 'older') return ok(name, `publication ${publication} is older than what slot ${slot} holds`);
  if (age === 'streaming') return ok(name, `a capture reads slot ${slot} by publication ${publication}`);
  if (age === 'readable') return ok(name, `slot ${slot} can be read by publication ${publication}`);
  return warning(
    name,
    `whether publication ${publication} is older than what slot ${slot} holds could not be told: no row of it came within seconds; where it is not, run stops and says so`,
    'run doctor again',
  );
}
