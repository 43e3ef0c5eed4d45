/** The values of one trajectory: what they are, how else they are written, and who is meant by a part of a name. */
import { identityOf, signsOf, spellingsOf } from './identity.ts';
import { type Kind, kindNames, secretKinds } from './kinds.ts';
import { Lookout } from './lookout.ts';
import { isTelling, partsOfName } from './names.ts';
import { namesFromEmail } from './personal/emails.ts';
import { strengthOf } from './settle.ts';

/** One value of a session, or whoever bears a name. */
export interface Entity {
  kind: Kind;
  /** By which two spellings are one. */
  identity: string;
  /** As it was met first. */
  text: string;
  /**
   * `met`: found by a detector. `suggested`: a name that an e-mail address is made of, a person once it is found.
   * `part`: a word of names, and nobody as long as none of these is met.
   */
  state: 'met' | 'suggested' | 'part';
}

/** Shorter numbers, or five signs that are digits alone, stand for many things. */
const telltaleNumber = /^(?:.{6,}|(?=.*\d)(?=.*\p{L}).{5})$/su;

/** A secret that reads like a word may stand in any text for that word. */
const wordLike = /^\p{L}{1,11}$/u;
const minSecret = 6;

const minAddress = 8;

type Identify = (text: string) => string;
const identify = Object.fromEntries(
  kindNames.map((kind) => [kind, (text: string) => identityOf(kind, text)]),
) as Record<Kind, Identify>;
const exactly: Identify = (text) => text;

export class Entities {
  /** By text: it is of one kind wherever it stands, that which says most. */
  readonly #kinds = new Map<string, { kind: Kind; certain: boolean }>();
  readonly #byText = new Map<string, Entity>();
  readonly #byIdentity = new Map<string, Entity>();
  readonly #meant = new Map<Entity, Entity | null>();
  /** By identity of a word: those in whose names it is. */
  readonly #bearers = new Map<string, Set<Entity>>();

  /** A detector found this text. */
  meet(kind: Kind, certain: boolean, text: string): void {
    const known = this.#kinds.get(text);
    if (known !== undefined && strengthOf({ kind, certain }) <= strengthOf(known)) return;
    this.#kinds.set(text, { kind, certain });
  }

  /** What a text that was met stands for, once all were. */
  of(text: string): Entity {
    let entity = this.#byText.get(text);
    if (entity === undefined) {
      entity = this.#entity(this.#kinds.get(text)!.kind, text, 'met');
      this.#byText.set(text, entity);
    }
    return entity;
  }

  /** Everything that was met, to be looked for where no detector would find it. */
  lookout(): Lookout<Entity> {
    const lookout = new Lookout<Entity>();
    const met = [...this.#kinds.keys()].map((text) => ({ text, entity: this.of(text) }));
    for (const { text, entity } of met) if (isTelltale(entity.kind, text)) lookFor(lookout, entity, text);
    for (const { text, entity } of met) if (entity.kind === 'EMAIL') this.#suggest(lookout, text);
    for (const entity of [...this.#byIdentity.values()]) if (entity.kind === 'PERSON') this.#divide(lookout, entity);
    return lookout;
  }

  /** Whom or what is meant where `entity` was seen, once all texts were looked at; null for nobody. */
  resolve(entity: Entity): Entity | null {
    let meant = this.#meant.get(entity);
    if (meant === undefined) {
      meant = this.#whoIsMeant(entity);
      this.#meant.set(entity, meant);
    }
    return meant;
  }

  #whoIsMeant(entity: Entity): Entity | null {
    const bearers = [...(this.#bearers.get(entity.identity) ?? [])].filter(({ state }) => state === 'met');
    // Of a first name that two share nobody knows who is meant: it is a value of its own.
    if (bearers.length === 1) return bearers[0]!;
    return bearers.length > 1 || entity.state === 'met' ? entity : null;
  }

  #entity(kind: Kind, text: string, state: Entity['state']): Entity {
    const identity = identityOf(kind, text);
    let entity = this.#byIdentity.get(identity);
    if (entity === undefined) {
      entity = { kind, identity, text, state };
      this.#byIdentity.set(identity, entity);
    }
    if (state === 'met') entity.state = 'met';
    return entity;
  }

  #suggest(lookout: Lookout<Entity>, email: string): void {
    for (const name of namesFromEmail(email)) lookFor(lookout, this.#entity('PERSON', name, 'suggested'), name);
  }

  #divide(lookout: Lookout<Entity>, bearer: Entity): void {
    for (const word of partsOfName(bearer.text)) {
      const part = this.#entity('PERSON', word, 'part');
      const bearers = this.#bearers.get(part.identity) ?? new Set();
      this.#bearers.set(part.identity, bearers.add(bearer));
      lookForWord(lookout, part, capitalised(word));
    }
  }
}

function lookFor(lookout: Lookout<Entity>, entity: Entity, text: string): void {
  if (entity.kind === 'PERSON' && !/\s/.test(text)) {
    lookForWord(lookout, entity, text);
    return;
  }
  for (const spelling of spellingsOf(entity.kind, text)) {
    lookout.add({ text: spelling, identify: identify[entity.kind], what: entity });
  }
}

/** A name alone is told from a word by its capital. */
function lookForWord(lookout: Lookout<Entity>, what: Entity, word: string): void {
  for (const text of [word, word.toUpperCase()]) lookout.add({ text, identify: exactly, what });
}

function capitalised(word: string): string {
  const isShouted = word.length > 1 && word === word.toUpperCase();
  return word.charAt(0).toUpperCase() + (isShouted ? word.slice(1).toLowerCase() : word.slice(1));
}

/** Long and particular enough to be meant wherever it stands. */
function isTelltale(kind: Kind, text: string): boolean {
  if (secretKinds.has(kind)) return text.length >= minSecret && !wordLike.test(text);
  if (kind === 'PERSON') return /\S[\s,]+\S/.test(text) || isTelling(text);
  if (kind === 'ADDRESS' || kind === 'DATE_OF_BIRTH') return text.length >= minAddress;
  return kind === 'EMAIL' || kind === 'IP' || telltaleNumber.test(signsOf(text));
}
