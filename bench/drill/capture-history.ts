/**
 * Decides whether a capture kept its promises, from what the audit log, an independent decoder, the journal, the sinks,
 * samples of the slot and a replay say. Pure: whoever gathers them is elsewhere.
 */

/** A committed row, as the audit log itself shows it. */
export interface LogRow {
  key: string;
  sessionId: string;
  /** Microseconds. */
  createdAt: number;
  /** Digest of its text. */
  digest: string;
  /**
   * Among all commits, by an independent decoder; below zero, in the order of time and key, what was there before. Null
   * where that says nothing of parts: rows came in beside the stream too.
   */
  place: number | null;
}

/** A part of a session, wherever it was found; open and held ones have no id yet. */
export interface SeenPart {
  id: string | null;
  sessionId: string;
  part: number;
  /** In its order. Digests are known of those in the dataset. */
  turns: { key: string; digest: string | null }[];
}

/** What of sealed parts is never to change. */
export interface SealedNow {
  id: string;
  sessionId: string;
  part: number;
  contentHash: string;
  /** In the dataset, where it is to stay; otherwise on its way there. */
  stored: boolean;
}

/** WAL positions as text in which text order is WAL order; `confirmed` was read before `stored`. */
export interface Sample {
  confirmed: string;
  stored: string;
  during: string;
}

/** What is left when everything had the time to end. */
export interface Ending {
  open: number;
  unpublished: number;
  undelivered: number;
  parked: number;
}

export interface CaptureHistory {
  rows: readonly LogRow[];
  parts: readonly SeenPart[];
  /** Of different moments, in their order. */
  snapshots: readonly (readonly SealedNow[])[];
  samples: readonly Sample[];
  ending: Ending;
  /** What an undisturbed capture made of the same log; null where there was none. */
  replayed: readonly SeenPart[] | null;
}

export const verdicts = {
  lost: 'rows of the log are in no part',
  doubled: 'rows are in more than one place',
  foreign: 'rows in parts were never committed, or belong to another session',
  altered: 'rows do not hold the text that the log holds',
  disordered: 'parts or turns are not in the order of time and commit',
  changed: 'sealed parts changed or vanished',
  early: 'positions were confirmed before they were stored',
  unended: 'things did not come to their end',
  replayed: 'parts are others than those of a replay',
} as const;

export type Verdict = keyof typeof verdicts;
/** What speaks against each promise, in words; all empty where all were kept. */
export type Findings = Record<Verdict, string[]>;

export function judge(history: CaptureHistory): Findings {
  const { rows, parts, snapshots, samples, ending, replayed } = history;
  const log = new Map(rows.map((row) => [row.key, row]));
  return {
    ...placesOf(log, parts),
    disordered: [...disorderWithin(log, parts), ...disorderBetween(log, parts)],
    changed: changesIn(snapshots),
    early: samples
      .filter(({ confirmed, stored }) => confirmed > stored)
      .map(({ confirmed, stored, during }) => `${confirmed} confirmed and ${stored} stored during ${during}`),
    unended: Object.entries(ending)
      .filter(([, n]) => n !== 0)
      .map(([what, n]) => `${n} ${what}`),
    replayed: replayed === null ? [] : differences(parts, replayed),
  };
}

function placesOf(log: Map<string, LogRow>, parts: readonly SeenPart[]) {
  const found = { lost: [], doubled: [], foreign: [], altered: [] } as Record<string, string[]>;
  const seen = new Set<string>();
  for (const part of parts) {
    for (const { key, digest } of part.turns) {
      const row = log.get(key);
      const what = `row ${key} in ${nameOf(part)}`;
      if (row?.sessionId !== part.sessionId) found.foreign!.push(what);
      else if (seen.has(key)) found.doubled!.push(what);
      else if (digest !== null && digest !== row.digest) found.altered!.push(what);
      seen.add(key);
    }
  }
  found.lost = [...log.values()].filter(({ key }) => !seen.has(key)).map((row) => `row ${row.key} of ${row.sessionId}`);
  return found as Pick<Findings, 'lost' | 'doubled' | 'foreign' | 'altered'>;
}

/** Turns go by time, those of one time in the order of their commits. */
function disorderWithin(log: Map<string, LogRow>, parts: readonly SeenPart[]): string[] {
  return parts.flatMap((part) => {
    const rows = rowsOf(log, part);
    const wrong = rows.find((row, i) => i > 0 && compareRows(rows[i - 1]!, row) > 0);
    return wrong === undefined ? [] : [`row ${wrong.key} in ${nameOf(part)}`];
  });
}

/** Parts are numbered without gaps, and whatever a part holds was committed before all of the next one. */
function disorderBetween(log: Map<string, LogRow>, parts: readonly SeenPart[]): string[] {
  const sessions = new Map<string, SeenPart[]>();
  for (const part of parts) sessions.set(part.sessionId, [...(sessions.get(part.sessionId) ?? []), part]);
  return [...sessions.values()].flatMap((ofSession) => {
    const inOrder = ofSession.sort((a, b) => a.part - b.part);
    let last = Number.NEGATIVE_INFINITY;
    return inOrder.flatMap((part, number) => {
      const places = rowsOf(log, part).flatMap(({ place }) => place ?? []);
      const isAfter = places.every((place) => place > last);
      last = places.reduce((a, b) => Math.max(a, b), last);
      return isAfter && part.part === number ? [] : [`${nameOf(part)}, the ${number + 1}. part of its session`];
    });
  });
}

function changesIn(snapshots: CaptureHistory['snapshots']): string[] {
  const byId = new Map<string, SealedNow>();
  const byPlace = new Map<string, string>();
  return snapshots.flatMap((snapshot) => {
    const found: string[] = [];
    const here = new Set(snapshot.map(({ id }) => id));
    for (const { id, stored } of byId.values()) if (stored && !here.has(id)) found.push(`trajectory ${id} is gone`);
    for (const now of snapshot) {
      const before = byId.get(now.id);
      const place = nameOf(now);
      if (before !== undefined && before.contentHash !== now.contentHash) found.push(`content of trajectory ${now.id}`);
      if ((byPlace.get(place) ?? now.id) !== now.id) found.push(`${place} was ${byPlace.get(place)}, is ${now.id}`);
      byId.set(now.id, now);
      byPlace.set(place, now.id);
    }
    return found;
  });
}

function differences(parts: readonly SeenPart[], replayed: readonly SeenPart[]): string[] {
  const [ours, theirs] = [parts, replayed].map((side) => new Set(side.map(identityOf)));
  return [
    ...[...ours!].filter((part) => !theirs!.has(part)).map((part) => `${part} is not in the replay`),
    ...[...theirs!].filter((part) => !ours!.has(part)).map((part) => `${part} is in the replay only`),
  ];
}

/** What is not sealed is known by its rows. */
const identityOf = (part: SeenPart) => `${nameOf(part)}: ${part.id ?? part.turns.map(({ key }) => key).join(' ')}`;
const nameOf = ({ sessionId, part }: { sessionId: string; part: number }) => `${sessionId}/${part}`;
const compareRows = (a: LogRow, b: LogRow) => a.createdAt - b.createdAt || (a.place ?? 0) - (b.place ?? 0);

function rowsOf(log: Map<string, LogRow>, { turns }: SeenPart): LogRow[] {
  return turns.flatMap(({ key }) => log.get(key) ?? []);
}
