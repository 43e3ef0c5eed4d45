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
    yield* scoreAll(dice, topic, papers);
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
  return { paper_id: id, title, author, participant_count: participants, citations };
}

function standing(circle: string, papers: Paper[]): Call {
  const best = [...papers].sort((a, b) => b.score - a.score || a.id.localeCompare(b.id))[0] as Paper;
  const passed = papers.filter(({ score }) => score >= 60).length;
  return call('get_standing', { circle }, { circle, passed, best_paper: best.title, best_score: best.score });
}

/** All at once is refused; the limit named in the refusal is kept from then on. */
function* scoreAll(dice: Dice, circle: string, papers: Paper[]): Generator<Call> {
  const limit = dice.int(2, 3);
  const request = (from: number, size: number) => ({ circle, from, batch_size: size });
  yield call('score_papers', request(1, papers.length), {
    error: `Quota: at most ${limit} papers a request, ${papers.length} were asked for.`,
  });
  yield call('get_quota', { circle }, { circle, requests_left: dice.int(20, 60), resets: 'at midnight' });
  yield* asides(dice, 0.3);
  for (let i = 0; i < papers.length; i += limit) {
    const scores = papers.slice(i, i + limit).map(({ id, score }) => ({ paper_id: id, score }));
    yield call('score_papers', request(i + 1, limit), { scores });
  }
}

/** An erratum corrects the record, and lowers or lifts the score. */
function* correct(dice: Dice, papers: Paper[]): Generator<Call> {
  for (const paper of papers) {
    const score = () => call('get_score', { paper_id: paper.id }, { paper_id: paper.id, score: paper.score });
    yield call('fetch_paper', { paper_id: paper.id }, abstractOf(paper));
    yield score();
    const before = paper.participants;
    paper.participants = Math.max(6, before - dice.int(5, 60));
    const erratum = `There were ${paper.participants} participants, not ${before}.`;
    yield call('get_erratum', { paper_id: paper.id }, { paper_id: paper.id, erratum });
    const record = { participant_count: paper.participants, paper_id: paper.id };
    yield call('update_record', record, { paper_id: paper.id, accepted: true });
    yield* asides(dice, 0.5);
    yield call('fetch_paper', { paper_id: paper.id }, abstractOf(paper));
    paper.score = Math.max(10, Math.min(99, paper.score + dice.pick([-21, -14, -9, 6])));
    const change = { score: paper.score, reason: 'erratum', paper_id: paper.id };
    yield call('update_score', change, { paper_id: paper.id, accepted: true });
    yield call('get_quota', { paper_id: paper.id }, { corrections_left: dice.int(1, 5) });
    yield score();
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
