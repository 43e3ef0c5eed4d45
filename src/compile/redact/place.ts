/** Where in a document a text stands, and what was found in texts that stood there. */
import type { Detect, Detection, TextContext } from './detection.ts';

/** Of the members around a value the innermost are told: what a document is nested in costs no more than this. */
const maxPath = 16;

/** What programs call members: no name of a person, no number, no secret reads like this. */
const plainName = /^[a-z][A-Za-z_]{0,31}$/;

/** Members that say what the one beside them is: `{"name": "phone", "value": …}`. */
const labelName = /^(?:name|key|field|label|header|attribute|param|parameter|property|variable)$/i;
const valueName = /^(?:value|val|content)$/i;

const nothing: readonly Detection[] = [];

/**
 * One for each name that members of a document have, however often they come: of what stands there, each distinct text
 * is looked at once.
 */
export class Place {
  readonly context: TextContext;
  /** The member's name is one of a program's. */
  readonly isPlain: boolean;
  /** In a pair of members of which one says what the other is. */
  readonly role: 'label' | 'value' | null;
  readonly #detect: Detect;
  #seen: Map<string, readonly Detection[]> | null = null;
  #members: Map<string, Place> | null = null;
  #names: Place | null = null;

  constructor(detect: Detect, context: TextContext) {
    this.#detect = detect;
    this.context = context;
    this.isPlain = context.key !== null && plainName.test(context.key);
    this.role = roleOf(context.key ?? '');
  }

  /** Where a member's value stands. Elements of a list stand where the list does. */
  member(name: string): Place {
    this.#members ??= new Map();
    let place = this.#members.get(name);
    if (place === undefined) {
      place = new Place(this.#detect, { key: name, path: this.#around() });
      this.#members.set(name, place);
    }
    return place;
  }

  /** Where the names of its members stand. */
  names(): Place {
    this.#names ??= new Place(this.#detect, { key: null, path: this.#around() });
    return this.#names;
  }

  detect(text: string): readonly Detection[] {
    this.#seen ??= new Map();
    let found = this.#seen.get(text);
    if (found === undefined) {
      const detected = this.#detect(text, this.context);
      found = detected.length === 0 ? nothing : detected;
      this.#seen.set(text, found);
    }
    return found;
  }

  #around(): readonly string[] {
    const { key, path } = this.context;
    return key === null ? path : [...path, key].slice(-maxPath);
  }
}

function roleOf(name: string): Place['role'] {
  if (labelName.test(name)) return 'label';
  return valueName.test(name) ? 'value' : null;
}
