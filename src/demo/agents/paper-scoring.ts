/** Scores papers for a reading circle, in batches that a quota cuts short, and corrects itself after an erratum. */
import { type Agent, asides, type Call, call } from '../agent.ts';
import type { Dice } from '../dice.ts';
import { people } from '../world.ts';

interface Paper {
  id: string;
  title: string;
  author: string;
  participants: number;
  citations: number;
  score: number;
}

const subjects = ['moss', 'tide pools', 'bell towers', 'night trains', 'bees', 'peat', 'kites', 'snow'] as const;
const angles = [
  'How to count',
  'The sound of',
  'A cheap sensor for',
  'Forgetting and',
  'What children know about',
  'Slow changes in',
] as const;

export const paperScoring: Agent = {
  name: 'paper-scoring',
  weight: 12,
  gapMs: [4_000, 18_000],
  stepUsd: [0.0011, 0.0062],
  *session(dice) {
    const papers = shelf(dice);
    const topic = dice.pick(['fieldwork', 'method', 'measurement']);
    yield call(
      'get_rubric',
      { circle: topic },
      { circle: topic, pass_score: 60, criteria: ['question', 'method', 'data'] },
    );
    yield call('search_papers', { topic }, { papers: papers.map(({ id, title }) => ({ paper_id: id, title })) });
    for (const paper of papers) {
      yield call('fetch_paper', { paper_id: paper.id }, abstractOf(paper));
      yield* asides(dice, 0.25);
    }
    yield* scoreAll(dice, papers);
    yield standing(topic, papers);
    yield* asides(dice, 0.4);
    yield* correct(dice, dice.some(papers, dice.int(1, 2)));
    yield standing(topic, papers);
    yield* shortlist(dice, papers);
  },
};

function shelf(dice: Dice): Paper[] {
  const authors = dice.some(people, 7);
  const about = dice.some(subjects, dice.int(5, 7));
  return about.map((subject, i) => ({
    id: dice.code('P-'),
    title: `${dice.pick(angles)} ${subject}`,
    author: authors[i]?.name ?? '',
    participants: dice.int(12, 480),
    citations: dice.int(0, 90),
    score: dice.int(38, 88),
  }));
}

function abstractOf({ id, title, author, participants, citations }: Paper) {
  return { paper_id: id, title, author, participants, citations };
}

function standing(circle: string, papers: Paper[]): Call {
  const best = [...papers].sort((a, b) => b.score - a.score || a.id.localeCompare(b.id))[0] as Paper;
  const passed = papers.filter(({ score }) => score >= 60).length;
  return call('get_standing', { circle }, { circle, passed, best_paper: best.title, best_score: best.score });
}

/** All at once is refused; the limit named in the refusal is kept from then on. */
function* scoreAll(dice: Dice, papers: Paper[]): Generator<Call> {
  const limit = dice.int(2, 3);
  const ids = papers.map(({ id }) => id);
  yield call(
    'score_papers',
    { paper_ids: ids },
    {
      error: `Quota: at most ${limit} papers a request, ${ids.length} were sent.`,
      retry_after_s: dice.pick([5, 10, 20]),
    },
  );
  yield* asides(dice, 0.5);
  for (let i = 0; i < papers.length; i += limit) {
    const batch = papers.slice(i, i + limit);
    const scores = batch.map(({ id, score }) => ({ paper_id: id, score }));
    yield call('score_papers', { paper_ids: batch.map(({ id }) => id) }, { scores });
  }
}

/** An erratum lowers or lifts a score; the paper is read again before it is scored anew. */
function* correct(dice: Dice, papers: Paper[]): Generator<Call> {
  for (const paper of papers) {
    yield call('get_score', { paper_id: paper.id }, { paper_id: paper.id, title: paper.title, score: paper.score });
    const before = paper.participants;
    paper.participants = Math.max(6, before - dice.int(5, 60));
    yield call(
      'get_erratum',
      { paper_id: paper.id },
      { paper_id: paper.id, erratum: `The number of participants was ${paper.participants}, not ${before}.` },
    );
    yield call('fetch_paper', { paper_id: paper.id }, abstractOf(paper));
    paper.score = Math.max(10, Math.min(99, paper.score + dice.pick([-21, -14, -9, 6])));
    yield call('rescore_paper', { paper_id: paper.id, reason: 'erratum' }, { paper_id: paper.id, accepted: true });
    yield* asides(dice, 0.7);
    yield call('get_score', { paper_id: paper.id }, { paper_id: paper.id, title: paper.title, score: paper.score });
  }
}

function* shortlist(dice: Dice, papers: Paper[]): Generator<Call> {
  for (const paper of papers.filter(({ score }) => score >= 60)) {
    const reader = dice.pick(people);
    yield call(
      'assign_reader',
      { paper_id: paper.id, reader: reader.email },
      { paper_id: paper.id, reader: reader.name },
    );
  }
}
