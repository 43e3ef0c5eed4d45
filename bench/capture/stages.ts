/** CPU by stage, out of a profile of V8: a frame belongs to the stage of its file, or else to that of its caller. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string }; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

/** In the order in which a row passes them; the first that fits counts. */
const stages: [stage: string, where: RegExp][] = [
  ['decode', /stream\/pgoutput|pg-protocol|pg-logical-replication|stream\/(replication|copy-stream)/],
  ['assemble', /stream\/(assembler|watermark|lsn|tail)|postgres\/audit-table/],
  ['digest', /row-digest/],
  ['sessionize', /sessionizer\/(sessionize|part)\./],
  ['journal', /sessionizer\/|better-sqlite3|src\/sqlite|dist\/sqlite/],
  ['publish', /topic\/|transport\//],
  ['socket', /node:(net|internal\/stream|internal\/streams|_stream|stream|events|internal\/timers)/],
];

/** Microseconds of CPU by stage. */
export function cpuByStage(folder: string): Record<string, number> {
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error(`no profile in ${folder}`);
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
  const stageOf = new Map<number, string>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const visit = (id: number, inherited: string) => {
    const { callFrame, children = [] } = byId.get(id)!;
    const stage = ownStage(callFrame) ?? inherited;
    stageOf.set(id, stage);
    for (const child of children) visit(child, stage);
  };
  visit(nodes[0]!.id, 'other');
  const spent: Record<string, number> = {};
  samples.forEach((id, at) => {
    const stage = stageOf.get(id) ?? 'other';
    if (stage !== 'idle') spent[stage] = (spent[stage] ?? 0) + Math.max(0, timeDeltas[at] ?? 0);
  });
  return spent;
}

function ownStage({ functionName, url }: { functionName: string; url: string }): string | null {
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage';
  // Outside of JavaScript: the event loop and the socket's reads.
  if (functionName === '(program)') return 'socket';
  return stages.find(([, where]) => where.test(url))?.[0] ?? null;
}
