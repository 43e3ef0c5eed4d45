/** Records for tests, small and invented: whole ones with what matters to a test replaced, and arbitrary ones. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type {
  Compiled,
  CompiledTurns,
  CompilerVersion,
  Lsn,
  ModelCall,
  QaPair,
  RejectedPair,
  SegmentOutcome,
  Trajectory,
  Turn,
  Verification,
  Verified,
} from '../../src/records.ts';
import type { SinkMessage } from '../../src/sinks/sink.ts';

const hash = (...parts: unknown[]) => createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/** 2026-03-02 09:00:00 UTC. */
export const nineOClock = Date.UTC(2026, 2, 2, 9) * 1000;

export function turnOf(sessionId: string, index: number, changes: Partial<Turn> = {}): Turn {
  const at = nineOClock + index * 1_000_000;
  return {
    rowKey: `${sessionId}:${index}`,
    sessionId,
    agent: 'inbox-triage',
    tool: ['list_messages', 'read_message', 'move_message'][index % 3]!,
    arguments: JSON.stringify({ folder: 'inbox', page: index }),
    response: JSON.stringify({ ok: true, subject: `Delivery note ${index}`, unread: 40 - index }),
    costUsd: null,
    durationMs: '12.5',
    createdAt: null,
    committedAt: at,
    position: { lsn: `00000000/${(index * 256).toString(16).toUpperCase().padStart(8, '0')}` as Lsn, ordinal: 0 },
    ...changes,
  };
}

export function trajectoryOf(changes: Partial<Trajectory> = {}): Trajectory {
  const sessionId = changes.sessionId ?? 'session-1';
  const part = changes.part ?? 0;
  const turns = changes.turns ?? Array.from({ length: 12 }, (_, index) => turnOf(sessionId, part * 100 + index));
  return {
    spec: 'trajectory/1',
    id: hash('trajectory', sessionId, part),
    source: 'test/db/public.audit_log',
    sessionId,
    part,
    agents: ['inbox-triage'],
    turns,
    startedAt: nineOClock + part * 100_000_000,
    endedAt: nineOClock + part * 100_000_000 + 11_000_000,
    closedBy: 'idle',
    contentHash: hash('content', sessionId, part),
    ...changes,
  };
}

export const rulesVersion: CompilerVersion = {
  kind: 'rules',
  tier: 'rules',
  model: 'rules',
  promptVersion: 'rules/1',
  redaction: 'off',
};

export function segmentOf(trajectory: Trajectory, changes: Partial<SegmentOutcome> = {}, window = 0): SegmentOutcome {
  return {
    segment: {
      id: hash('segment', trajectory.id, window),
      trajectoryId: trajectory.id,
      sessionId: trajectory.sessionId,
      firstTurn: window * 6,
      lastTurn: window * 6 + 5,
      fingerprint: hash('fingerprint', trajectory.id, window),
      topic: null,
      metrics: { turns: 6 },
      shareSeen: 1,
    },
    outcome: 'compiled',
    reason: null,
    ...changes,
  };
}

export function pairOf(
  trajectory: Trajectory,
  { segment }: SegmentOutcome,
  changes: Partial<QaPair> = {},
  version: CompilerVersion = rulesVersion,
): QaPair {
  const question = changes.question ?? 'How many messages were unread when the second note was read?';
  return {
    spec: 'qa_pair/1',
    pairKey: hash('pair', trajectory.sessionId, segment.fingerprint, version, question),
    segmentId: segment.id,
    trajectoryId: trajectory.id,
    sessionId: trajectory.sessionId,
    part: trajectory.part,
    agent: trajectory.agents[0] ?? null,
    turnCount: trajectory.turns.length,
    question,
    answer: '38',
    supportingTurns: [2, 5],
    evidence: [{ turn: 2, rowKey: `${trajectory.sessionId}:2`, quote: 'Delivery note 2', offset: 30 }],
    qaType: 'temporal',
    derivation: null,
    verification: { status: 'proved', reason: null },
    portable: true,
    sourceModel: version.model,
    requestedModel: version.model,
    promptVersion: version.promptVersion,
    costUsd: 0,
    rawExtraction: '{}',
    createdAt: '2026-03-02T10:00:00.000000Z',
    ...changes,
  };
}

export function rejectionOf({ segment }: SegmentOutcome, changes: Partial<RejectedPair> = {}): RejectedPair {
  return {
    key: hash('rejected', segment.id, changes),
    segmentId: segment.id,
    reason: 'single_turn',
    detail: 'turn 4 alone answers it',
    question: 'Which folder was listed?',
    answer: 'inbox',
    rawExtraction: '{}',
    ...changes,
  };
}

export function callOf({ segment }: SegmentOutcome, changes: Partial<ModelCall> = {}): ModelCall {
  return {
    id: hash('call', segment.id, changes),
    segmentId: segment.id,
    stage: 'compile',
    provider: 'gemini',
    requestedModel: 'gemini-3.5-flash-lite',
    model: 'gemini-3.5-flash-lite',
    serviceTier: 'flex',
    promptHash: hash('prompt', segment.id),
    promptTokens: 4_000,
    cachedTokens: 0,
    outputTokens: 500,
    thinkingTokens: 0,
    costUsd: 0.0012,
    costSource: 'genai-prices',
    startedAt: '2026-03-02T09:59:00.000000Z',
    durationMs: 900,
    outcome: 'ok',
    finishReason: 'STOP',
    parseMode: 'plain',
    ...changes,
  };
}

/** A trajectory with one segment and one pair, unless told otherwise. */
export function compiledOf(changes: Partial<Compiled> = {}): Compiled {
  const trajectory = changes.trajectory ?? trajectoryOf();
  const segments = changes.segments ?? [segmentOf(trajectory)];
  const compiler = changes.compiler ?? rulesVersion;
  return {
    spec: 'compiled/1',
    trajectory,
    compiler,
    segments,
    pairs: segments.filter(({ outcome }) => outcome === 'compiled').map((it) => pairOf(trajectory, it, {}, compiler)),
    rejected: [],
    calls: [],
    compiledAt: '2026-03-02T10:00:00.000000Z',
    ...changes,
  };
}

/** The messages in which a compiled trajectory travels where it is too large for one: its turns, then the rest. */
export function apartOf(compiled: Compiled, turnsEach: number): (Compiled | CompiledTurns)[] {
  const { trajectory, compiler, compiledAt } = compiled;
  const { id: trajectoryId, sessionId, turns } = trajectory;
  const starts = Array.from({ length: Math.ceil(turns.length / turnsEach) }, (_, index) => index * turnsEach);
  const pieces = starts.map((first): CompiledTurns => {
    const some = turns.slice(first, first + turnsEach);
    return { spec: 'compiled_turns/1', trajectoryId, sessionId, compiler, compiledAt, first, turns: some };
  });
  return [...pieces, { ...compiled, trajectory: { ...trajectory, turns: [] }, turnsApart: turns.length }];
}

/** What one database or another holds differently, or not at all: U+0000, half a surrogate pair, escapes of both. */
export const oddTexts = [
  '\0',
  '\ud83d',
  '\ude00\ud83d',
  '😀',
  '\\u0000',
  '\\',
  '"',
  "'",
  '\u2028',
  '\ufffd',
  'e\u0301',
  '',
];

const trajectories = [
  trajectoryOf(),
  trajectoryOf({ part: 1, agents: ['inbox-triage', 'drafting'] }),
  trajectoryOf({ sessionId: 'session-2', agents: ['drafting', 'odd \ud83d\0'] }),
  trajectoryOf({ sessionId: 'session 3 \u00e9😀' }),
];

const versions: CompilerVersion[] = [
  rulesVersion,
  { ...rulesVersion, promptVersion: 'rules/2' },
  { ...rulesVersion, kind: 'llm', tier: 'cheap', model: 'gemini-3.5-flash-lite', promptVersion: '1' },
];

const odd = fc.string({ unit: fc.constantFrom(...oddTexts, 'a', ' '), maxLength: 4 });

/** The same rows, as another redaction policy would leave them: compiles of one trajectory differ in its turns' text. */
function redacted(trajectory: Trajectory): fc.Arbitrary<Trajectory> {
  const text = fc.option(odd.map((it) => JSON.stringify({ note: it })));
  const digest = fc.constantFrom(undefined, '0000aaaa:first', '0000aaaa:second');
  return fc
    .array(fc.record({ index: fc.nat(trajectory.turns.length - 1), arguments: text, agent: odd, digest }), {
      maxLength: 2,
    })
    .map((changes) => {
      const turns = [...trajectory.turns];
      for (const { index, digest: held, ...change } of changes) {
        turns[index] = { ...turns[index]!, ...change, ...(held === undefined ? {} : { digest: held }) };
      }
      return { ...trajectory, turns };
    });
}

const times = ['2026-03-02T10:00:00.000000Z', '2026-03-02T10:00:00.5Z', '2026-03-03T00:00:00Z'];

const verdictTimes = ['2026-03-02T10:00:00.000Z', '2026-03-02T11:00:00.000Z', '2026-03-05T00:00:00.250Z'];

/** As a compile leaves it, or as somebody who looked at the pair later. */
const verificationArbitrary: fc.Arbitrary<Verification> = fc.oneof(
  fc.constantFrom<Verification>(
    { status: 'proved', reason: null },
    { status: 'unverified', reason: null },
    { status: 'held', reason: 'untrusted' },
  ),
  fc.record({
    status: fc.constantFrom('pass', 'fail', 'error', 'held', 'unverified'),
    reason: fc.constantFrom(null, 'not_supported', 'truncated'),
    version: fc.constantFrom('gates/2', 'verify/1 gemini gemini-3.8-flash'),
    at: fc.constantFrom(...verdictTimes),
    sameFamily: fc.boolean(),
  }),
);

/** Verdicts on the pairs of a compile. */
export function verifiedOf(compiled: Compiled, verification: Verification, changes: Partial<Verified> = {}): Verified {
  return {
    spec: 'verified/1',
    trajectoryId: compiled.trajectory.id,
    sessionId: compiled.trajectory.sessionId,
    pairs: compiled.pairs.map((pair) => ({ ...pair, verification })),
    calls: [],
    verifiedAt: verification.at ?? compiled.compiledAt,
    ...changes,
  };
}

function partsOf(trajectory: Trajectory, version: CompilerVersion, segment: SegmentOutcome) {
  const pair = (question: string, answer: string, verification: Verification) => {
    const evidence = [{ turn: 2, rowKey: `${trajectory.sessionId}:2`, quote: answer, offset: 30 }];
    const rawExtraction = JSON.stringify({ answer });
    return pairOf(trajectory, segment, { question, answer, evidence, rawExtraction, verification }, version);
  };
  const proposed = segment.outcome === 'compiled' ? ['first?', 'second?', 'third?'] : [];
  return fc.record({
    pairs: fc
      .subarray(proposed)
      .chain((questions) =>
        fc.tuple(
          ...questions.map((it) =>
            fc
              .tuple(fc.oneof(fc.constantFrom('1', '2'), odd), verificationArbitrary)
              .map(([text, verification]) => pair(it, text, verification)),
          ),
        ),
      ),
    rejected: fc
      .subarray(['single_turn', 'adjacent_support'])
      .chain((reasons) =>
        fc.tuple(...reasons.map((reason) => odd.map((answer) => rejectionOf(segment, { reason, answer })))),
      ),
    calls: fc
      .array(fc.record({ id: fc.constantFrom('call-1', 'call-2', 'call-3'), costUsd: fc.constantFrom(null, 0.001) }), {
        maxLength: 2,
      })
      .map((calls) => calls.map((changes) => callOf(segment, changes))),
  });
}

/** Messages of a few trajectories by a few compilers, so that many of them concern the same rows. */
export const compiledArbitrary: fc.Arbitrary<Compiled> = fc
  .record({
    trajectory: fc.constantFrom(...trajectories).chain(redacted),
    compiler: fc.constantFrom(...versions),
    compiledAt: fc.constantFrom(...times),
    outcomes: fc.array(fc.constantFrom('compiled', 'compiled', 'no_structure', 'skipped', 'failed'), {
      minLength: 1,
      maxLength: 2,
    }),
  })
  .chain(({ trajectory, compiler, compiledAt, outcomes }) => {
    const segments = outcomes.map((outcome, window) =>
      segmentOf(trajectory, { outcome: outcome as SegmentOutcome['outcome'] }, window),
    );
    return fc.tuple(...segments.map((segment) => partsOf(trajectory, compiler, segment))).map((parts) =>
      compiledOf({
        trajectory,
        compiler,
        compiledAt,
        segments,
        pairs: parts.flatMap(({ pairs }) => pairs),
        rejected: parts.flatMap(({ rejected }) => rejected),
        calls: parts.flatMap(({ calls }) => calls),
      }),
    );
  });

/**
 * What a sink may be given of a few trajectories, whole messages, messages apart and later verdicts: each once, in the
 * order of sending.
 */
export const historyArbitrary: fc.Arbitrary<SinkMessage[]> = fc
  .array(
    compiledArbitrary.chain((compiled): fc.Arbitrary<SinkMessage[]> => {
      const apart = fc.integer({ min: 1, max: 7 }).map((turnsEach) => apartOf(compiled, turnsEach));
      const verified = verificationArbitrary.map((verdict) => [compiled, verifiedOf(compiled, verdict)]);
      return fc.oneof<fc.Arbitrary<SinkMessage[]>[]>(fc.constant([compiled]), apart, verified);
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((messages) => messages.flat());
