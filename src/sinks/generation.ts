/**
 * Which compile of a segment counts, decided by the messages alone and never by the order they arrive in.
 *
 * A generation is text that sorts: first what decided something (`compiled`, `no_structure`) over what did not
 * (`skipped`, `failed`: a budget that ran out must not hide pairs that are there), then the time of compiling, then the
 * compiler version, then a hash of the contents, which tells apart what nothing else does. The greatest generation of a
 * segment is the one in force: its pairs are active, those of every other are superseded.
 */
import { createHash } from 'node:crypto';
import { park } from '../errors.ts';
import { type Compiled, compilerKey, isoOf, microsOf, type SegmentOutcome } from '../records.ts';

/** @throws OperatorError, parking, where `compiledAt` is no timestamp. */
export function generationOfMessage(compiled: Compiled): string {
  const at = microsOf(compiled.compiledAt);
  if (at === null || !Number.isFinite(at)) {
    throw park('bad_message', `compiledAt of trajectory ${compiled.trajectory.id} is no timestamp`);
  }
  return [isoOf(at), compilerKey(compiled.compiler), contentsHash(compiled)].join(' ');
}

export function generationOfSegment({ outcome }: SegmentOutcome, ofMessage: string): string {
  const decided = outcome === 'compiled' || outcome === 'no_structure';
  return `${decided ? 1 : 0} ${ofMessage}`;
}

function contentsHash({ trajectory, segments, pairs, rejected, calls }: Compiled): string {
  const contents = [trajectory.id, trajectory.contentHash, segments, pairs, rejected, calls];
  return createHash('sha256').update(JSON.stringify(contents)).digest('hex').slice(0, 16);
}
