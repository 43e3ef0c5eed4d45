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
    for (const image of images) yield scan(image);
    yield* asides(dice, 0.4);
    const treated = dice.some(images, images.length - 1);
    for (const image of treated) {
      yield* treat(dice, image);
      yield* asides(dice, 0.4);
    }
    for (const image of treated) yield scan(image);
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
    'scan_image',
    { image: name },
    { image: name, risk_score: score, open_findings: open.map(({ id }) => id) },
  );
}

/** More images than the scanner takes at once are refused. */
function* queueScans(dice: Dice, images: Image[]): Generator<Call> {
  const names = images.map(({ name }) => name);
  const most = names.length - dice.int(1, 2);
  if (dice.chance(0.6)) {
    yield call(
      'queue_scans',
      { images: names },
      { error: `Scanner is busy: ${most} images at most, got ${names.length}.` },
    );
    yield* asides(dice, 0.4);
  }
  yield call('queue_scans', { images: names.slice(0, most) }, { queued: most });
  yield call('queue_scans', { images: names.slice(most) }, { queued: names.length - most });
}

function* treat(dice: Dice, image: Image): Generator<Call> {
  for (const finding of image.findings) {
    const { id, library, installed, fixedIn } = finding;
    yield call(
      'get_finding',
      { finding_id: id },
      { finding_id: id, image: image.name, library, installed, fixed_in: fixedIn },
    );
    yield* asides(dice, 0.3);
    if (dice.chance(0.2)) {
      yield* waive(dice, image, finding);
      continue;
    }
    if (dice.chance(0.35)) {
      const wrong = fixedIn.replace(/\d+$/, (patch) => String(Number(patch) + 1));
      yield call(
        'upgrade_library',
        { image: image.name, library, version: wrong },
        { error: `${library} ${wrong} does not exist; the newest release is ${fixedIn}.` },
      );
    }
    finding.state = 'fixed';
    yield call(
      'upgrade_library',
      { image: image.name, library, version: fixedIn },
      { image: image.name, build_id: dice.code('B-'), status: 'built' },
    );
  }
}

function* waive(dice: Dice, image: Image, finding: Finding): Generator<Call> {
  const approver = dice.pick(people);
  yield call(
    'ask_approval',
    { finding_id: finding.id },
    { finding_id: finding.id, approver: approver.name, approved: true },
  );
  finding.state = 'waived';
  yield call(
    'waive_finding',
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
