/** Writes leaflets: reads, replaces text that must match to the letter, checks, publishes. */
import { type Agent, asides, type Call, call } from '../agent.ts';
import type { Dice } from '../dice.ts';
import { firms, type Product, pence, people, pounds, products } from '../world.ts';

interface Draft {
  path: string;
  lines: string[];
  status: 'draft' | 'in review' | 'published';
}

export const drafting: Agent = {
  name: 'drafting',
  weight: 12,
  gapMs: [4_000, 18_000],
  stepUsd: [0.0014, 0.0078],
  *session(dice) {
    const firm = dice.pick(firms);
    const [first, second] = dice.some(products, 2) as [Product, Product];
    const draft = leaflet(dice, firm, first, second);
    yield call('list_documents', { client: firm }, { documents: [draft.path, 'letters/thanks.md', 'notes/tone.md'] });
    yield read(draft);
    yield statusOf(draft);
    yield call(
      'read_document',
      { path: 'notes/tone.md' },
      'Short sentences. No exclamation marks. Prices with a pound sign.',
    );
    yield* asides(dice, 0.3);
    yield* reprice(dice, draft, first);
    yield* asides(dice, 0.3);
    if (dice.chance(0.6)) yield* reprice(dice, draft, second);
    yield statusOf(draft);
    yield* calm(dice, draft);
    yield read(draft);
    yield statusOf(draft);
    yield* review(dice, draft);
    yield read(draft);
    yield statusOf(draft);
  },
};

function leaflet(dice: Dice, firm: string, ...wares: Product[]): Draft {
  const path = `leaflets/${dice.pick(['winter', 'market-day', 'opening', 'anniversary'])}-${dice.int(1, 9)}.md`;
  const offers = wares.map(({ name, price }) => `Our ${name} costs £${price} until the end of the month.`);
  const opening = dice.pick(['Open again from today', 'Come in and look around', 'New pieces have arrived']);
  return { path, lines: [`# ${firm}`, `${opening}!`, ...offers, 'Ask for Saturday deliveries!'], status: 'draft' };
}

function textOf(draft: Draft): string {
  return draft.lines.join('\n');
}

function read(draft: Draft): Call {
  return call('read_document', { path: draft.path }, textOf(draft));
}

function statusOf(draft: Draft): Call {
  const words = textOf(draft).split(/\s+/).length;
  const warnings = draft.lines.filter((line) => line.includes('!')).length;
  return call(
    'check_document',
    { path: draft.path },
    { path: draft.path, words, style_warnings: warnings, status: draft.status },
  );
}

function replace(draft: Draft, oldText: string, newText: string): Call {
  const args = { path: draft.path, old_text: oldText, new_text: newText };
  if (!textOf(draft).includes(oldText))
    return call('replace_text', args, { error: 'old_text does not occur in the document.' });
  draft.lines = draft.lines.map((line) => line.replace(oldText, newText));
  return call('replace_text', args, { path: draft.path, replaced: 1 });
}

/** The list has a newer price than the leaflet; the first edit misremembers how the leaflet writes the old one. */
function* reprice(dice: Dice, draft: Draft, product: Product): Generator<Call> {
  const price = pounds(pence(product.price) + dice.int(2, 30) * 25);
  yield call('get_price', { product: product.name }, { product: product.name, price, valid: 'from today' });
  yield* asides(dice, 0.6);
  const after = `${product.name} costs £${price}`;
  if (dice.chance(0.6)) {
    yield replace(draft, `${product.name} costs ${product.price} pounds`, after);
    yield call(
      'find_in_document',
      { path: draft.path, text: product.name },
      { line: `Our ${product.name} costs £${product.price} until the end of the month.` },
    );
  }
  yield replace(draft, `${product.name} costs £${product.price}`, after);
}

function* calm(dice: Dice, draft: Draft): Generator<Call> {
  for (const line of draft.lines.filter((text) => text.endsWith('!'))) {
    yield replace(draft, line, `${line.slice(0, -1)}.`);
    yield* asides(dice, 0.2);
  }
}

function* review(dice: Dice, draft: Draft): Generator<Call> {
  const reviewer = dice.pick(people);
  draft.status = 'in review';
  yield call(
    'request_review',
    { path: draft.path, reviewer: reviewer.email },
    { path: draft.path, review_id: dice.code('RV-'), status: draft.status },
  );
  yield statusOf(draft);
  yield* asides(dice, 0.5);
  if (dice.chance(0.3)) {
    yield call(
      'get_review',
      { path: draft.path },
      { path: draft.path, reviewer: reviewer.name, verdict: 'changes wanted' },
    );
    return;
  }
  yield call('get_review', { path: draft.path }, { path: draft.path, reviewer: reviewer.name, verdict: 'approved' });
  draft.status = 'published';
  yield call('publish_document', { path: draft.path }, { path: draft.path, status: draft.status });
}
