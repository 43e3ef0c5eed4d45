/** Scans program images for known holes, upgrades what it can, waives the rest, scans again. */
import { type Agent, asides, type Call, call } from '../agent.ts';
import type { Dice } from '../dice.ts';
import { people } from '../world.ts';

interface Image {
  name: string;
  risk: number;
  findings: Finding[];
}

interface Finding {
  id: string;
  library: string;
  installed: string;
  fixedIn: string;
  weight: number;
  state: 'open' | 'fixed' | 'waived';
}

const imageNames = ['harbour-api', 'tide-worker', 'ferry-web', 'lantern-auth', 'pier-mailer', 'gull-search'] as const;
const libraries = ['tinparse', 'quickfold', 'lumenzip', 'oxbowtls', 'pebblesql', 'mothlog'] as const;

export const safetyScan: Agent = {
  name: 'safety-scan',
  weight: 12,
  gapMs: [3_000, 15_000],
  stepUsd: [0.0005, 0.0024],
  *session(dice) {
    const images = dice.some(imageNames, dice.int(4, 5)).map((name) => imageOf(dice, name));
    yield call('list_images', { registry: 'harbour' }, { images: images.map(({ name }) => name) });
    yield* queueScans(dice, images);
    const left = dice.pick(images);
    for (const image of images) {
      yield scan(image);
      if (image === left) {
        yield* leave(image);
        continue;
      }
      yield* treat(dice, image);
      yield call('get_build_log', { image: image.name }, `${image.name}: pushed to harbour`);
      yield scan(image);
      yield* asides(dice, 0.3);
    }
    yield report(dice, images);
  },
};

function imageOf(dice: Dice, name: string): Image {
  const findings = dice.some(libraries, dice.int(1, 2)).map((library): Finding => {
    const major = dice.int(1, 6);
    const minor = dice.int(0, 8);
    return {
      id: dice.code('F-'),
      library,
      installed: `${major}.${minor}.${dice.int(0, 3)}`,
      fixedIn: `${major}.${minor}.${dice.int(4, 9)}`,
      weight: dice.int(8, 35),
      state: 'open',
    };
  });
  return { name, risk: dice.int(5, 20), findings };
}

function scan({ name, risk, findings }: Image): Call {
  const open = findings.filter(({ state }) => state === 'open');
  const score = open.reduce((sum, { weight }) => sum + weight, risk);
  return call(
    'run_risk_scan',
    { image: name },
    { image: name, risk_score: score, open_findings: open.map(({ id }) => id) },
  );
}

/** More scans at once than the scanner has slots are refused. */
function* queueScans(dice: Dice, images: Image[]): Generator<Call> {
  const slots = images.length - dice.int(1, 2);
  const queue = (size: number) => ({ registry: 'harbour', batch_size: size });
  if (dice.chance(0.6)) {
    const refusal = { error: `The scanner has ${slots} free slots, ${images.length} were asked for.` };
    yield call('submit_scans', queue(images.length), refusal);
    yield call('list_scanner_slots', { registry: 'harbour' }, { free: slots, busy: dice.int(1, 6) });
  }
  yield call('submit_scans', queue(slots), { queued: images.length, batch_size: slots });
}

/** One image is in use: its findings are read and left for another day. */
function* leave(image: Image): Generator<Call> {
  for (const finding of image.findings) yield show(image, finding);
  yield call(
    'get_image_usage',
    { image: image.name },
    { image: image.name, in_use_by: 'night ferry', free_from: 'Sunday' },
  );
}

function show(image: Image, { id, library, installed, fixedIn }: Finding): Call {
  return call(
    'get_finding',
    { finding_id: id },
    { finding_id: id, image: image.name, library, installed_version: installed, fixed_version: fixedIn },
  );
}

function* treat(dice: Dice, image: Image): Generator<Call> {
  for (const finding of image.findings) {
    const { id, library, fixedIn } = finding;
    yield show(image, finding);
    yield* asides(dice, 0.3);
    if (dice.chance(0.2)) {
      yield* waive(dice, image, finding);
      continue;
    }
    if (dice.chance(0.35)) {
      const wrong = fixedIn.replace(/\d+$/, (patch) => String(Number(patch) + 1));
      yield call(
        'upgrade_library',
        { library, version: wrong, image: image.name, finding_id: id },
        { error: `${library} ${wrong} does not exist; the newest release is ${fixedIn}.` },
      );
    }
    finding.state = 'fixed';
    yield call(
      'upgrade_library',
      { library, version: fixedIn, image: image.name, finding_id: id },
      { image: image.name, build_id: dice.code('B-'), status: 'built' },
    );
  }
}

function* waive(dice: Dice, image: Image, finding: Finding): Generator<Call> {
  const approver = dice.pick(people);
  yield call(
    'get_approval',
    { finding_id: finding.id },
    { finding_id: finding.id, approver: approver.name, approved: true },
  );
  finding.state = 'waived';
  yield call(
    'dismiss_finding',
    { finding_id: finding.id, approver: approver.name },
    { finding_id: finding.id, image: image.name, state: 'waived' },
  );
}

function report(dice: Dice, images: Image[]): Call {
  const all = images.flatMap(({ findings }) => findings);
  const count = (state: Finding['state']) => all.filter((finding) => finding.state === state).length;
  const counts = { open: count('open'), fixed: count('fixed'), waived: count('waived') };
  return call('write_report', { registry: 'harbour' }, { report_id: dice.code('RP-'), ...counts });
}
