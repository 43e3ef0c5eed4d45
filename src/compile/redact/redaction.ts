/**
 * The texts of one trajectory: what is found in each is looked for in all of them, and one value is one entity however
 * it is spelled. Nothing here waits or stores.
 */
import type { Detect, Detection } from './detection.ts';
import { Entities, type Entity } from './entities.ts';
import { type Kind, kindNames } from './kinds.ts';
import type { Lookout } from './lookout.ts';
import { Place } from './place.ts';
import { bracketsIn, mayHoldBrackets, placeholdersIn, withoutBrackets, withoutLooseBrackets } from './placeholders.ts';
import { settle } from './settle.ts';
import { rawAt, type View, viewsOf } from './views.ts';

export interface RedactionOptions {
  detect: Detect;
  /** Kinds that are left as they are. */
  kept: ReadonlySet<Kind>;
  /** Placeholders that stand in the texts are ours: they were put there by a redactor. */
  isRedacted: boolean;
}

/** What is replaced in a text, in its own UTF-16 units. */
export interface Span {
  from: number;
  to: number;
  entity: Entity;
  certain: boolean;
  /** Around the placeholder: what makes a string of a number. */
  quote: string;
}

/** One text. */
interface Piece {
  text: string;
  place: Place;
  views: readonly View[];
  /** By view. */
  found: readonly (readonly Detection[])[];
  spans: Span[];
  /** Brackets of placeholders may stand in it: written out wherever they are, or as escapes in these places. */
  hasBrackets: boolean;
  escapedBrackets: { from: number; to: number; harmless: string }[];
}

const nothing: readonly Detection[] = [];

export class Redaction {
  readonly #options: RedactionOptions;
  readonly #root: Place;
  readonly #pieces: Piece[] = [];
  /** By column, then by text: where in the pieces it is. */
  readonly #known = new Map<string | null, Map<string, number>>();
  readonly #entities = new Entities();

  constructor(options: RedactionOptions) {
    this.#options = options;
    this.#root = new Place(options.detect, { key: null, path: [] });
  }

  /**
   * A text of the trajectory; `column`: the name of what it stands in, where that may say something about it.
   *
   * @returns its index, the same for each time that it stands in such a column: names of agents and tools recur in
   * every turn, and questions and answers in many.
   */
  add(text: string, column: string | null): number {
    const known = this.#knownIn(column);
    let index = known.get(text);
    if (index === undefined) {
      const place = column === null ? this.#root : this.#root.member(column);
      index = this.#pieces.push(this.#look(text, place)) - 1;
      known.set(text, index);
    }
    return index;
  }

  /** Decides what is replaced, once every text is there. @returns the entities in the order in which they appear. */
  decide(): Entity[] {
    const lookout = this.#entities.lookout();
    for (const piece of this.#pieces) {
      const { views, found } = piece;
      for (let at = 0; at < views.length; at++) this.#addSpans(piece, views[at]!, found[at]!, lookout);
    }
    const appeared = new Set<Entity>();
    for (const piece of this.#pieces) {
      if (piece.spans.length === 0) continue;
      piece.spans = joined(piece.spans.flatMap((span) => this.#resolved(span)));
      for (const { entity } of piece.spans) appeared.add(entity);
    }
    return [...appeared];
  }

  spansOf(index: number): readonly Span[] {
    return this.#pieces[index]!.spans;
  }

  /**
   * The text with placeholders in the place of values, and no bracket that could pass for one of theirs. `isJson`: a
   * number becomes a string.
   */
  render(index: number, placeholder: (entity: Entity) => string, isJson = true): string {
    const { text, spans, hasBrackets, escapedBrackets } = this.#pieces[index]!;
    if (spans.length === 0 && !hasBrackets) return text;
    const untouched = (from: number, to: number) => {
      const part = text.slice(from, to);
      return hasBrackets ? withoutBrackets(part) : part;
    };
    const changes: { from: number; to: number; by: string }[] = [
      ...escapedBrackets.map(({ from, to, harmless }) => ({ from, to, by: harmless })),
      ...spans.map(({ from, to, quote, entity }) => {
        const around = isJson ? quote : '';
        return { from, to, by: `${around}${placeholder(entity)}${around}` };
      }),
    ];
    if (escapedBrackets.length > 0) changes.sort((a, b) => a.from - b.from || b.to - a.to);
    const parts: string[] = [];
    let copied = 0;
    for (const { from, to, by } of changes) {
      // A bracket within a value is gone with it.
      if (from < copied) continue;
      parts.push(untouched(copied, from), by);
      copied = to;
    }
    return parts.join('') + untouched(copied, text.length);
  }

  /** How many texts there are, none of them twice. */
  get size(): number {
    return this.#pieces.length;
  }

  /**
   * Kinds that stand for certain in what a text was rendered to. What is as it was has been looked at before: new is
   * what stands around placeholders.
   */
  leaks(index: number, rendered: string): Kind[] {
    const { text, place, views, found } = this.#pieces[index]!;
    if (rendered === text) return [];
    const { kept } = this.#options;
    const now = viewsOf(rendered, place);
    const changed =
      now.length === views.length
        ? now.filter((view, at) => found[at]!.length > 0 || !readsAlike(view, views[at]!))
        : now;
    // Where a piece is cut off something may look like what it is not: the whole decides.
    const suspects = changed.filter((view) => certainKinds(aroundPlaceholders(view), kept).length > 0);
    return suspects.length === 0 ? [] : certainKinds(suspects, kept);
  }

  #knownIn(column: string | null): Map<string, number> {
    let known = this.#known.get(column);
    if (known === undefined) {
      known = new Map();
      this.#known.set(column, known);
    }
    return known;
  }

  #look(text: string, place: Place): Piece {
    const views = viewsOf(text, place);
    const hasBrackets = !this.#options.isRedacted && mayHoldBrackets(text);
    if (this.#options.isRedacted) for (const view of views) view.value = withoutLooseBrackets(view.value);
    const escapedBrackets = hasBrackets ? disarm(text, views) : [];
    const found = views.map((view) => this.#detect(view));
    return { text, place, views, found, spans: [], hasBrackets, escapedBrackets };
  }

  #detect({ place, value }: View): readonly Detection[] {
    const detected = place.detect(value);
    if (detected.length === 0) return nothing;
    const { kept, isRedacted } = this.#options;
    const found = settle(wanted(detected, kept), isRedacted ? placeholdersIn(value) : []);
    for (const { kind, certain, from, to } of found) this.#entities.meet(kind, certain, value.slice(from, to));
    return found;
  }

  #addSpans({ spans }: Piece, view: View, found: readonly Detection[], lookout: Lookout<Entity>): void {
    for (const { from, to, certain } of found) {
      spans.push(spanOf(view, { from, to }, this.#entities.of(view.value.slice(from, to)), certain));
    }
    if (lookout.isIdle) return;
    const seen = lookout.find(view.value);
    if (seen.length === 0) return;
    const ours = this.#options.isRedacted ? placeholdersIn(view.value) : [];
    for (const { from, to, what } of seen) {
      if (ours.some((place) => place.from < to && from < place.to)) continue;
      if (what.state === 'suggested') what.state = 'met';
      spans.push(spanOf(view, { from, to }, what, false));
    }
  }

  #resolved(span: Span): Span[] {
    const entity = this.#entities.resolve(span.entity);
    return entity === null ? [] : [{ ...span, entity }];
  }
}

function readsAlike(view: View, other: View): boolean {
  return view.place === other.place && view.value === other.value;
}

/** Of a number the whole: what is left would be another number. */
function spanOf(view: View, { from, to }: { from: number; to: number }, entity: Entity, certain: boolean): Span {
  const { quote, value } = view;
  if (quote !== null) return { from: rawAt(view, 0), to: rawAt(view, value.length), entity, certain, quote };
  return { from: rawAt(view, from), to: rawAt(view, to), entity, certain, quote: '' };
}

/** Takes brackets of placeholders out of what detectors see, so that no value hides between two of them. */
function disarm(text: string, views: readonly View[]): Piece['escapedBrackets'] {
  const mayBeEscaped = text.includes('\\u27');
  return views.flatMap((view) => {
    const places = mayBeEscaped ? bracketsIn(view.value) : [];
    view.value = withoutBrackets(view.value);
    return places
      .map(({ at, harmless }) => ({ from: rawAt(view, at), to: rawAt(view, at + 1), harmless }))
      .filter(({ from, to }) => to - from > 1);
  });
}

/** In order, none over another: what overlaps is replaced as one. */
function joined(spans: readonly Span[]): Span[] {
  const settled: Span[] = [];
  for (const span of [...spans].sort((a, b) => a.from - b.from || b.to - a.to)) {
    const last = settled.at(-1);
    if (last === undefined || last.to <= span.from) settled.push({ ...span });
    else last.to = Math.max(last.to, span.to);
  }
  return settled;
}

function wanted(found: readonly Detection[], kept: ReadonlySet<Kind>): readonly Detection[] {
  return kept.size === 0 ? found : found.filter(({ kind }) => !kept.has(kind));
}

/**
 * What is new begins or ends at a placeholder: the rest stood among the same words before. Numbers, addresses of mail and
 * the beginnings of keys are shorter than this.
 */
const reach = 64;

/** What of a view is within reach of its placeholders; a view without any as it is. */
function aroundPlaceholders(view: View): View[] {
  const { value } = view;
  const places = value.length <= 2 * reach ? [] : placeholdersIn(value);
  const parts: { from: number; to: number }[] = [];
  for (const { from, to } of places) {
    const last = parts.at(-1);
    if (last !== undefined && from - reach <= last.to) last.to = to + reach;
    else parts.push({ from: Math.max(0, from - reach), to: to + reach });
  }
  return parts.length === 0 ? [view] : parts.map(({ from, to }) => ({ ...view, value: value.slice(from, to) }));
}

/** Kinds that stand in views for certain, beside placeholders. */
export function certainKinds(views: readonly View[], kept: ReadonlySet<Kind>): Kind[] {
  const kinds = new Set<Kind>();
  for (const { place, value: written } of views) {
    const value = withoutLooseBrackets(written);
    const found = place.detect(value);
    if (found.length === 0) continue;
    for (const { kind, certain } of settle(wanted(found, kept), placeholdersIn(value))) if (certain) kinds.add(kind);
  }
  return kindNames.filter((kind) => kinds.has(kind));
}
