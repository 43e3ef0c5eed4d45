import { describe, expect, it } from 'vitest';
import type { Trajectory, Turn } from '../../src/records.ts';
import { contentHashOf } from '../../src/sessionizer/trajectory.ts';
import { encodeClaim, type RowReader, redeemClaim } from '../../src/transport/claims.ts';
import { trajectoryOf, turnOf } from '../support/records.ts';

const turns = Array.from({ length: 12 }, (_, index) => turnOf('session-1', index));
const trajectory: Trajectory = trajectoryOf({ turns, contentHash: contentHashOf(turns) });

/** A table that holds these rows. */
const tableOf =
  (rows: Turn[], source = trajectory.source) =>
  async (): Promise<RowReader> => ({
    source,
    readRows: async (keys) => keys.flatMap((key) => rows.find(({ rowKey }) => rowKey === key) ?? []),
  });

const redeem = (openReader: () => Promise<RowReader>) => redeemClaim(encodeClaim(trajectory), openReader);

describe('a claim on rows of the audit log', () => {
  it('holds none of their text', () => {
    const text = new TextDecoder().decode(encodeClaim(trajectory));
    for (const turn of turns) expect(text).not.toContain(JSON.stringify(turn.response).slice(1, -1));
  });

  it('brings back the trajectory, its turns in their order', async () => {
    expect(await redeem(tableOf(turns.toReversed()))).toEqual(trajectory);
  });

  it('brings back the digests of capture, and is redeemed without where it was made before there were any', async () => {
    const digested = turns.map((turn, index) => (index === 3 ? turn : { ...turn, digest: `0000aaaa:${index}` }));
    const claim = encodeClaim({ ...trajectory, turns: digested });
    expect((await redeemClaim(claim, tableOf(turns.toReversed()))).turns).toEqual(digested);
    const { digests: _, ...early } = JSON.parse(new TextDecoder().decode(claim));
    const bytes = new TextEncoder().encode(JSON.stringify(early));
    expect((await redeemClaim(bytes, tableOf(turns))).turns).toEqual(turns);
  });

  it('is lost when a row is gone', async () => {
    await expect(redeem(tableOf(turns.slice(1)))).rejects.toMatchObject({
      kind: 'park',
      code: 'claim_lost',
      message: expect.stringContaining('1 of the 12 rows'),
    });
  });

  it('is lost when a row was changed', async () => {
    const changed = turns.map((turn, index) => (index === 5 ? { ...turn, response: '{"ok": false}' } : turn));
    await expect(redeem(tableOf(changed))).rejects.toMatchObject({ kind: 'park', code: 'claim_lost' });
  });

  it('is not redeemed at another table', async () => {
    await expect(redeem(tableOf(turns, 'other/db/public.audit_log'))).rejects.toMatchObject({
      kind: 'park',
      code: 'claim_other_source',
    });
  });
});
