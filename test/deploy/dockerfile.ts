/** Reads deploy/Dockerfile: its stages and what each does, in order. */
import { readText } from './deployed.ts';

export interface Instruction {
  keyword: string;
  /** The rest, with continued lines joined. */
  rest: string;
}

export interface Stage {
  name: string;
  base: string;
  instructions: Instruction[];
}

export function dockerfile(): Stage[] {
  const lines = readText('Dockerfile')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: Stage[] = [];
  for (const line of lines) {
    const [, keyword = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (keyword === '') throw new Error(`no instruction: ${line}`);
    const [, base = '', name = 'final'] = /^(\S+)(?: AS (\S+))?$/.exec(rest) ?? [];
    if (keyword === 'FROM') stages.push({ name, base, instructions: [] });
    else stages.at(-1)?.instructions.push({ keyword, rest: rest.replace(/\s+/g, ' ').trim() });
  }
  return stages;
}

/** The stage with those it is built from, the first one first. */
export function lineageOf(stages: Stage[], name: string): Stage[] {
  const stage = stages.find((one) => one.name === name);
  if (stage === undefined) throw new Error(`no stage ${name}`);
  const parent = stages.find((one) => one.name === stage.base);
  return parent === undefined ? [stage] : [...lineageOf(stages, parent.name), stage];
}

export const finalStage = (stages: Stage[]): Stage => stages.at(-1) as Stage;

export function all(stage: Stage, keyword: string): string[] {
  return stage.instructions.filter((one) => one.keyword === keyword).map(({ rest }) => rest);
}

/** The variables that the image sets. */
export function environmentOf(stages: Stage[]): Record<string, string> {
  const pairs = all(finalStage(stages), 'ENV').flatMap((line) => line.split(' '));
  return Object.fromEntries(pairs.map((pair) => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)]));
}
