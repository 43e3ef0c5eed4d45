/** The redactor: detections become placeholders, the same value the same one in all of a session, and nothing is left over. */
import { createHmac } from 'node:crypto';
import { createKeyedHash } from '../../keyed-hash.ts';
import type { Detect } from './detection.ts';
import type { Entity } from './entities.ts';
import { type Kind, kindNames, secretKinds } from './kinds.ts';
import { hashOfRedacted, isOwnWork } from './own-work.ts';
import { Place } from './place.ts';
import type { NamedValue, PlaceholderStore, SessionName } from './placeholder-store.ts';
import { placeholderOf } from './placeholders.ts';
import { quietly, quietlyNow, RedactionError } from './quiet.ts';
import { certainKinds, Redaction } from './redaction.ts';
import type { Redacted, Redactor } from './redactor.ts';
import { rewriteTexts } from './texts.ts';
import { openVault, type Vault } from './vault.ts';
import { viewsOf } from './views.ts';

/** Raised when the same rows give other text, with other detectors too. */
const redactionVersion = 1;

export type Policy = Partial<Record<Kind, 'mask' | 'drop' | 'keep'>>;

export interface RedactorOptions {
  detect: Detect;
  /** Kinds that are not named are masked. */
  policy: Policy;
  /** Of the hashes that tell values apart. */
  key: string;
  placeholders: PlaceholderStore;
  /** Where it is given, masked values are kept encrypted; secrets never are. */
  vaultKey: string | null;
  /** The operator's own list, which `detect` was made with. */
  names: readonly string[];
}

/** Where something is replaced in a text, in its UTF-16 units. */
export interface ReplacedSpan {
  kind: Kind;
  from: number;
  to: number;
  certain: boolean;
}

export interface TextRedactor extends Redactor {
  /** A text of a session, not a row of it: for a look at what redaction makes of it. */
  redactText(session: SessionName, text: string): Promise<{ text: string; spans: ReplacedSpan[] }>;
}

/** Closing it closes the store. */
export function openRedactor(options: RedactorOptions): TextRedactor {
  const { detect, policy, key, placeholders } = options;
  const vault = options.vaultKey === null ? null : openVault(options.vaultKey);
  const kept = new Set(kindNames.filter((kind) => policy[kind] === 'keep'));
  // 128 bits: no two values of a session share them.
  const keyedHash = createKeyedHash(key);
  const hashOf = (identity: string) => keyedHash(`value ${identity}`, 'hex').slice(0, 32);

  /** Placeholders of entities, in the order in which these appear. */
  async function placeholdersOf(session: SessionName, entities: readonly Entity[]): Promise<Map<Entity, string>> {
    const masked = entities.filter(({ kind }) => policy[kind] !== 'drop');
    const values = masked.map((entity) => namedValue(entity, hashOf(entity.identity), session, vault));
    const numbered = await placeholders.number(session, values);
    const named = new Map(entities.map((entity) => [entity, placeholderOf(entity.kind, null)]));
    for (const [at, entity] of masked.entries()) {
      const { kind, number } = numbered[at]!;
      named.set(entity, placeholderOf(kind, number));
    }
    return named;
  }

  async function redact(trajectory: Redacted['trajectory']): Promise<Redacted> {
    const isRedacted = isOwnWork(trajectory, key);
    const redaction = new Redaction({ detect, kept, isRedacted });
    const counts: Redacted['counts'] = {};
    const indexes: number[] = [];
    rewriteTexts(trajectory, (text, column) => {
      indexes.push(redaction.add(text, column));
      return text;
    });
    const named = await placeholdersOf(trajectory, redaction.decide());
    const texts: string[] = [];
    for (let index = 0; index < redaction.size; index++) {
      const rendered = redaction.render(index, (entity) => named.get(entity)!);
      refuseLeaks(redaction.leaks(index, rendered));
      texts.push(rendered);
    }
    let at = 0;
    const rewritten = rewriteTexts(trajectory, () => {
      const index = indexes[at]!;
      at += 1;
      for (const { entity } of redaction.spansOf(index)) counts[entity.kind] = (counts[entity.kind] ?? 0) + 1;
      return texts[index]!;
    });
    return { trajectory: { ...rewritten, contentHash: hashOfRedacted(rewritten, key) }, counts };
  }

  const viewsIn = (text: string) => viewsOf(text, new Place(detect, { key: null, path: [] }));

  function scrub(text: string): string {
    const redaction = new Redaction({ detect, kept, isRedacted: true });
    redaction.add(text, null);
    redaction.decide();
    // An answer that is a number was no JSON.
    return redaction.render(0, ({ kind }) => placeholderOf(kind, null), /^\s*[[{]/.test(text));
  }

  async function redactText(session: SessionName, text: string) {
    const redaction = new Redaction({ detect, kept, isRedacted: false });
    redaction.add(text, null);
    const named = await placeholdersOf(session, redaction.decide());
    const spans = redaction.spansOf(0).map(({ entity: { kind }, from, to, certain }) => ({ kind, from, to, certain }));
    return { text: redaction.render(0, (entity) => named.get(entity)!), spans };
  }

  return {
    name: nameOf(options),
    redact: (trajectory) => quietly(() => redact(trajectory)),
    leaks: (text) => quietlyNow(() => certainKinds(viewsIn(text), kept)),
    scrub: (text) => quietlyNow(() => scrub(text)),
    redactText: (session, text) => quietly(() => redactText(session, text)),
    close: () => placeholders.close(),
  };
}

/** `on/1-3f2a9c01`: the version of the detectors, and a digest of everything else that decides the text. */
function nameOf({ policy, key, names }: RedactorOptions): string {
  const decided = kindNames.map((kind) => policy[kind] ?? 'mask');
  const told = JSON.stringify([decided, [...new Set(names)].sort()]);
  return `on/${redactionVersion}-${createHmac('sha256', key).update(`policy ${told}`).digest('hex').slice(0, 8)}`;
}

function namedValue({ kind, text }: Entity, hash: string, session: SessionName, vault: Vault | null): NamedValue {
  const isSealed = vault !== null && !secretKinds.has(kind);
  return { kind, hash, sealed: isSealed ? vault.seal(session, { kind, hash }, text) : null };
}

/** Fails closed: what a detector knows for certain and finds after redaction was not redacted. */
function refuseLeaks(kinds: readonly Kind[]): void {
  if (kinds.length > 0) throw new RedactionError(`left unredacted: ${kinds.join(', ')}`);
}
