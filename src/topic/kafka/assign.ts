/** Who gets which partitions. Pure. */

export interface GroupMemberState {
  id: string;
  /** Partitions it works on now; of two that claim the same one, the first by id keeps it. */
  owned: readonly number[];
}

/**
 * Partitions 0 to `partitions - 1` over the members: each to exactly one, numbers that differ by one at most, and no more
 * moves than that needs. The same for every topic of the group, so that what belongs together is with one member.
 */
export function assignPartitions(members: readonly GroupMemberState[], partitions: number): Map<string, number[]> {
  const kept = ownedOnce(members, partitions);
  const quotas = quotasOf(kept, partitions);
  const result = new Map<string, number[]>();
  for (const [id, owned] of kept) result.set(id, owned.slice(0, quotas.get(id)));
  const taken = new Set([...result.values()].flat());
  const open = Array.from({ length: partitions }, (_, partition) => partition).filter((p) => !taken.has(p));
  for (const [id, owned] of result) {
    owned.push(...open.splice(0, quotas.get(id)! - owned.length));
    owned.sort((a, b) => a - b);
  }
  return result;
}

function ownedOnce(members: readonly GroupMemberState[], partitions: number): Map<string, number[]> {
  const taken = new Set<number>();
  const kept = new Map<string, number[]>();
  for (const { id, owned } of members.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const own: number[] = [];
    for (const partition of owned.toSorted((a, b) => a - b)) {
      if (partition >= partitions || taken.has(partition)) continue;
      taken.add(partition);
      own.push(partition);
    }
    kept.set(id, own);
  }
  return kept;
}

/** Those who own most get the one more that some must have: it is a partition that need not move. */
function quotasOf(kept: Map<string, number[]>, partitions: number): Map<string, number> {
  const fair = Math.floor(partitions / kept.size);
  const more = partitions % kept.size;
  const byOwned = [...kept].toSorted(([, a], [, b]) => b.length - a.length);
  return new Map(byOwned.map(([id], rank) => [id, rank < more ? fair + 1 : fair]));
}
