/** Agents as a label of metrics: however many there are and however they are named, a bounded number of names. */

export interface AgentGroup {
  group: string;
  /** Agents whose name fits belong to it; `*` stands for any characters. */
  agents: readonly string[];
}

/** Whoever has more agents than this names groups. */
export const mostAgents = 50;
/** Names come from rows. */
const longestName = 100;

const nobody = 'unknown';
const anyOther = 'other';

export type GroupOf = (agent: string | null) => string;

/** The first group that fits; without groups an agent's own name, up to so many. */
export function createAgentGroups(groups: readonly AgentGroup[]): GroupOf {
  const names = new Set<string>();
  return (agent) => {
    if (agent === null || agent === '') return nobody;
    if (groups.length > 0)
      return groups.find(({ agents }) => agents.some((pattern) => fits(agent, pattern)))?.group ?? anyOther;
    if (names.size < mostAgents && agent.length <= longestName) names.add(agent);
    return names.has(agent) ? agent : anyOther;
  };
}

/** Every name that a group can have; none where agents go by their own. */
export function knownGroups(groups: readonly AgentGroup[]): string[] {
  return groups.length === 0 ? [] : [...new Set([...groups.map(({ group }) => group), anyOther, nobody])];
}

/** Piece by piece, so that no name, however long, takes long. */
function fits(agent: string, pattern: string): boolean {
  const [start = '', ...pieces] = pattern.split('*');
  const end = pieces.pop();
  if (end === undefined) return agent === pattern;
  if (!agent.startsWith(start) || !agent.endsWith(end)) return false;
  let at = start.length;
  for (const piece of pieces) {
    const found = agent.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at + end.length <= agent.length;
}
