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
import {
  type Compiled,
  type CompiledTurns,
  compilerKey,
  isoOf,
  microsOf,
  type QaPair,
  type SegmentOutcome,
  type Verified,
} from '../records.ts';

/** @throws OperatorError, parking, where `compiledAt` is no timestamp. */
export function generationOfMessage(compiled: Compiled): string {
  const { trajectory, segments, pairs, rejected, calls } = compiled;
  const contents = [trajectory.id, trajectory.contentHash, segments, pairs, rejected, calls];
  return `${generationOfWork(compiled)} ${shortHash(JSON.stringify(contents))}`;
}

export function generationOfSegment({ outcome }: SegmentOutcome, ofMessage: string): string {
  const decided = outcome === 'compiled' || outcome === 'no_structure';
  return `${decided ? 1 : 0} ${ofMessage}`;
}

/** Of the turn alone, not of the message that it came in: the same whether turns travel inside or apart. */
export function generationOfTurn(message: Compiled | CompiledTurns, body: string, digest: string | null): string {
  // JSON has no raw line break. Without a digest it is the hash that rows of before have.
  return `${generationOfWork(message)} ${shortHash(digest === null ? body : `${body}\n${digest}`)}`;
}

/**
 * Of verdicts on one content the latest counts; one that nobody asked for (`unverified`, as compiled) undoes none, and an
 * answer that could not be used (`error`) undoes none that could.
 */
export function generationOfVerdict({ verification, createdAt, pairKey }: QaPair): string {
  const { status, reason, version = null, at, sameFamily = null } = verification;
  const micros = microsOf(at ?? createdAt);
  if (micros === null || !Number.isFinite(micros))
    throw park('bad_message', `the time of the verdict on pair ${pairKey} is no timestamp`);
  const unasked = status === 'unverified' && at === undefined;
  const rank = unasked ? 0 : status === 'error' ? 1 : 2;
  return `${rank} ${isoOf(micros)} ${shortHash(JSON.stringify([status, reason, version, sameFamily, at ?? null]))}`;
}

export function generationOfVerdicts({ verifiedAt, pairs, calls }: Verified): string {
  return `${verifiedAt} ${shortHash(JSON.stringify([pairs, calls]))}`;
}

function generationOfWork(message: Compiled | CompiledTurns): string {
  const at = microsOf(message.compiledAt);
  if (at !== null && Number.isFinite(at)) return `${isoOf(at)} ${compilerKey(message.compiler)}`;
  const id = message.spec === 'compiled/1' ? message.trajectory.id : message.trajectoryId;
  throw park('bad_message', `compiledAt of trajectory ${id} is no timestamp`);
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
