/** Agents as a label of metrics: however many there are, a bounded number of names. */

export interface AgentGroup {
  group: string;
  /** Agents whose name fits belong to it; `*` stands for any characters. */
  agents: readonly string[];
}

/** Whoever has more agents than this names groups. */
const mostNames = 50;

export type GroupOf = (agent: string | null) => string;

/** The first group that fits; without groups an agent's own name, up to so many. */
export function createAgentGroups(groups: readonly AgentGroup[]): GroupOf {
  const patterns = groups.map(({ group, agents }) => ({ group, fits: agents.map(patternOf) }));
  const names = new Set<string>();
  return (agent) => {
    if (agent === null || agent === '') return 'unknown';
    if (groups.length > 0) return patterns.find(({ fits }) => fits.some((fit) => fit.test(agent)))?.group ?? 'other';
    if (names.size < mostNames) names.add(agent);
    return names.has(agent) ? agent : 'other';
  };
}

function patternOf(glob: string): RegExp {
  return new RegExp(`^${glob.replace(/[\\^$+?.()|[\]{}]/g, '\\$&').replaceAll('*', '.*')}$`, 's');
}
