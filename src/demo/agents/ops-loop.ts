/** Ticks round the clock: looks at queues and services, mends what broke, and mostly finds nothing to do. */
import { type Agent, asides, type Call, call } from '../agent.ts';
import type { Dice } from '../dice.ts';
import { people } from '../world.ts';

interface Site {
  queues: Queue[];
  services: Service[];
}

interface Queue {
  name: string;
  depth: number;
  workers: number;
  /** Jobs that arrive between two ticks, and that one worker does. */
  arriving: number;
  perWorker: number;
}

interface Service {
  name: string;
  status: 'healthy' | 'degraded' | 'down';
  p95: number;
  usual: number;
}

export const opsLoop: Agent = {
  name: 'ops-loop',
  weight: 8,
  gapMs: [1_500, 5_000],
  stepUsd: null,
  *session(dice) {
    const site = siteOf(dice);
    const ticks = dice.pick([8, 12, 16, 30]);
    for (let tick = 0; tick < ticks; tick++) {
      drift(dice, site);
      for (const queue of site.queues) yield look(queue);
      for (const service of site.services) yield* tend(dice, service);
      for (const queue of site.queues) yield* drain(dice, queue);
      yield* asides(dice, 0.1);
    }
  },
};

function siteOf(dice: Dice): Site {
  const queues = dice.some(['thumbnails', 'receipts', 'exports', 'reminders'], dice.int(1, 2)).map((name) => ({
    name,
    depth: dice.int(20, 90),
    workers: dice.int(2, 3),
    arriving: dice.int(60, 110),
    perWorker: 30,
  }));
  const services = dice.some(['ledger', 'atlas', 'postbox', 'lookout'], dice.int(1, 2)).map((name): Service => {
    const usual = dice.int(40, 120);
    return { name, status: 'healthy', p95: usual, usual };
  });
  return { queues, services };
}

function drift(dice: Dice, { queues, services }: Site): void {
  for (const queue of queues) {
    const done = queue.workers * queue.perWorker;
    queue.depth = Math.max(0, queue.depth + queue.arriving - done + dice.int(-12, 12));
  }
  for (const service of services) {
    if (service.status === 'healthy') service.p95 = service.usual + dice.int(-6, 9);
    if (service.status === 'healthy' && dice.chance(0.07)) {
      service.status = dice.pick(['degraded', 'down']);
      service.p95 = service.usual * dice.int(6, 14);
    }
  }
}

function look({ name, depth, workers }: Queue): Call {
  return call('check_queue', { queue: name }, { queue: name, depth, workers });
}

function probe({ name, status, p95 }: Service): Call {
  return call('check_service', { service: name }, { service: name, status, p95_ms: p95 });
}

/** A service that is down wants the right incident number before it may be restarted. */
function* tend(dice: Dice, service: Service): Generator<Call> {
  yield probe(service);
  if (service.status === 'healthy') return;
  const incident = dice.code('INC-');
  const onCall = dice.pick(people);
  yield call(
    'open_incident',
    { service: service.name },
    { incident_id: incident, service: service.name, on_call: onCall.name },
  );
  yield call(
    'read_log',
    { service: service.name, lines: 2 },
    `${service.name}: pool exhausted\n${service.name}: waiting for a connection`,
  );
  if (dice.chance(0.4)) {
    yield call('restart_service', { service: service.name }, { error: 'A restart needs incident_id.' });
    yield* asides(dice, 0.5);
  }
  yield call(
    'restart_service',
    { service: service.name, incident_id: incident },
    { service: service.name, restarted: true },
  );
  service.status = 'healthy';
  service.p95 = service.usual + dice.int(-6, 9);
  yield* asides(dice, 0.8);
  yield probe(service);
  yield call('close_incident', { incident_id: incident }, { incident_id: incident, state: 'closed' });
}

/** A queue that fills up gets another worker, one that is empty gives one back. */
function* drain(dice: Dice, queue: Queue): Generator<Call> {
  const wanted =
    queue.depth > 260
      ? queue.workers + dice.int(1, 2)
      : queue.depth === 0
        ? Math.max(2, queue.workers - 1)
        : queue.workers;
  if (wanted === queue.workers) return;
  const from = queue.workers;
  queue.workers = wanted;
  yield call('scale_workers', { queue: queue.name, workers: wanted }, { queue: queue.name, from, to: wanted });
}
