/** Claim checks: a trajectory too large for a message is left in the audit log, and read there by whoever works on it. */
import { park } from '../errors.ts';
import { type Trajectory, type TrajectoryClaim, type Turn, trajectoryClaimSchema } from '../records.ts';
import { contentHashOf } from '../sessionizer/trajectory.ts';
import { jsonCodec } from '../topic/codec.ts';

const codec = jsonCodec(trajectoryClaimSchema, 'trajectory_claim/1');

export function claimOf({ spec: _, turns, ...rest }: Trajectory): TrajectoryClaim {
  const claim: TrajectoryClaim = { spec: 'trajectory_claim/1', ...rest, rowKeys: turns.map(({ rowKey }) => rowKey) };
  if (turns.every(({ digest }) => digest === undefined)) return claim;
  return { ...claim, digests: turns.map(({ digest }) => digest ?? null) };
}

export const encodeClaim = (trajectory: Trajectory): Uint8Array => codec.encode(claimOf(trajectory));

/** Where the rows are read back. */
export interface RowReader {
  source: string;
  /** In the order of the keys; missing ones are left out. */
  readRows(keys: string[]): Promise<Turn[]>;
}

/**
 * The trajectory, from the rows as they are now.
 *
 * @throws OperatorError `claim_lost` (park) where rows are gone or were changed, `claim_other_source` (park) where they
 * are of another table than the one that is read here.
 */
export async function redeemClaim(bytes: Uint8Array, openReader: () => Promise<RowReader>): Promise<Trajectory> {
  const { spec: _, rowKeys, digests, ...claim } = await codec.decode(bytes);
  const reader = await openReader();
  if (claim.source !== reader.source) {
    throw park(
      'claim_other_source',
      `trajectory ${claim.id} is of ${claim.source}, and this worker reads ${reader.source}: set postgres.url and postgres.table to those of the capture, then requeue it`,
    );
  }
  const turns = await reader.readRows(rowKeys);
  if (turns.length < rowKeys.length) {
    throw park(
      'claim_lost',
      `${rowKeys.length - turns.length} of the ${rowKeys.length} rows of trajectory ${claim.id} are no longer in the audit log: keep rows until they are compiled, or raise kafka.maxInlineSize`,
    );
  }
  if (contentHashOf(turns) !== claim.contentHash) {
    throw park(
      'claim_lost',
      `the rows of trajectory ${claim.id} are no longer what was captured: rows of an audit log must not change`,
    );
  }
  return { spec: 'trajectory/1', ...claim, turns: withDigests(turns, digests ?? []) };
}

/** As they were at capture, so that its key is needed nowhere else. */
function withDigests(turns: Turn[], digests: readonly (string | null)[]): Turn[] {
  return turns.map((turn, index) => {
    const digest = digests[index] ?? null;
    return digest === null ? turn : { ...turn, digest };
  });
}
