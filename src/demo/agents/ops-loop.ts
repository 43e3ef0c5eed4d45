/** Ticks round the clock, over a queue or over services: mends what broke, and mostly finds nothing to do. */
import { type Agent, asides, type Call, call } from '../agent.ts';
import type { Dice } from '../dice.ts';
import { people } from '../world.ts';

export const opsLoop: Agent = {
  name: 'ops-loop',
  weight: 10,
  gapMs: [1_500, 5_000],
  stepUsd: null,
  *session(dice) {
    if (dice.chance(0.5)) yield* queueLoop(dice, dice.pick([8, 12, 20, 30]));
    else yield* serviceLoop(dice, dice.pick([6, 8, 12, 16]));
  },
};

interface Queue {
  name: string;
  depth: number;
  workers: number;
}

/** Jobs that one worker does between two ticks. */
const jobsPerWorker = 30;
const tooDeep = 200;

/** The queue grows faster than its workers can drain it, until more are set; once empty, they are given back. */
function* queueLoop(dice: Dice, ticks: number): Generator<Call> {
  const queue: Queue = {
    name: dice.pick(['thumbnails', 'receipts', 'exports', 'reminders']),
    depth: dice.int(60, 150),
    workers: 2,
  };
  const volume = `/srv/${queue.name}`;
  for (let tick = 0; tick < ticks; tick++) {
    yield call('check_queue', { queue: queue.name }, { ...queue });
    yield call('check_disk', { volume }, { volume, used_percent: 41 });
    if (queue.depth > tooDeep) yield* setWorkers(dice, queue, queue.workers + 2);
    else if (queue.depth === 0 && queue.workers > 2) yield* setWorkers(dice, queue, 2);
    yield* asides(dice, 0.1);
    queue.depth = Math.max(0, queue.depth + dice.int(75, 110) - queue.workers * jobsPerWorker);
  }
}

/** More workers than the plan allows are refused until the plan was looked up. */
function* setWorkers(dice: Dice, queue: Queue, wanted: number): Generator<Call> {
  if (wanted > 2 && dice.chance(0.4)) {
    const refusal = { error: `The plan allows ${wanted} workers, 8 were asked for.` };
    yield call('set_workers', { queue: queue.name, worker_count: 8 }, refusal);
    yield call('get_plan', { queue: queue.name }, { plan: 'small', most_worker_count: wanted });
  }
  yield call('set_workers', { queue: queue.name, worker_count: wanted }, { queue: queue.name, accepted: true });
  queue.workers = wanted;
}

interface Service {
  name: string;
  version: string;
  status: 'healthy' | 'degraded' | 'down';
  p95: number;
}

/** Releases arrive now and then; some of them break the service that they were made for. */
function* serviceLoop(dice: Dice, ticks: number): Generator<Call> {
  const services = dice.some(['ledger', 'atlas', 'postbox', 'lookout'], 2).map((name): Service => {
    return { name, version: `${dice.int(1, 4)}.${dice.int(0, 9)}.0`, status: 'healthy', p95: dice.int(40, 120) };
  });
  for (let tick = 0; tick < ticks; tick++) {
    for (const service of services) yield probe(service);
    yield* asides(dice, 0.15);
    if (dice.chance(0.25)) yield* release(dice, dice.pick(services));
  }
}

function probe({ name, version, status, p95 }: Service): Call {
  return call('check_service', { service: name }, { service: name, version, status, p95_ms: p95 });
}

function* release(dice: Dice, service: Service): Generator<Call> {
  const before = { ...service };
  const [major, minor] = service.version.split('.') as [string, string];
  const version = `${major}.${Number(minor) + 1}.0`;
  const wish = { service: service.name, version };
  yield call('list_releases', { service: service.name }, { waiting: [version] });
  yield call('deploy_release', wish, { deployment_id: dice.code('D-'), ...wish });
  service.version = version;
  yield call('read_log', { service: service.name }, `${service.name} ${version}: listening`);
  if (dice.chance(0.4)) return;
  service.status = dice.pick(['degraded', 'down']);
  service.p95 *= dice.int(6, 14);
  yield probe(service);
  yield* recover(dice, service, before);
}

/** Going back needs the number of an incident. */
function* recover(dice: Dice, service: Service, before: Service): Generator<Call> {
  const incident = dice.code('INC-');
  const onCall = dice.pick(people).name;
  const wish = { service: service.name, version: before.version };
  if (dice.chance(0.5)) yield call('restore_release', wish, { error: 'Going back to a release needs incident_id.' });
  const card = { incident_id: incident, service: service.name, on_call: onCall };
  yield call('create_incident', { service: service.name, status: service.status }, card);
  yield call('read_log', { service: service.name }, `${service.name}: pool exhausted\n${service.name}: waiting`);
  yield call('restore_release', { ...wish, incident_id: incident }, { service: service.name, accepted: true });
  Object.assign(service, before);
  yield call('check_alerts', { service: service.name }, { service: service.name, firing: 0 });
  yield probe(service);
  yield call('close_incident', { incident_id: incident }, { incident_id: incident, state: 'closed' });
}
