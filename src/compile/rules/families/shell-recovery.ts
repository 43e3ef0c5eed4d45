/** A command failed and nearly the same one later worked: why, and which. */
import { apart, type Call } from '../call.ts';
import { type Candidate, derivation, support } from '../candidate.ts';
import { fold } from '../text.ts';

const maxCommandChars = 140;
/** Share of words that two commands have in common, from which on the second is the first one mended. */
const sameCommand = 0.6;

export function shellRecovery(calls: readonly Call[]): Candidate[] {
  const commands = calls.filter((call) => call.command !== null && !call.tainted);
  return commands.flatMap((failed, at) => {
    if (failed.failure === null || failed.failure.startsWith('Command exited') || !isTellable(failed)) return [];
    const worked = mended(failed, commands.slice(at + 1));
    const twin = commands.find((other) => other !== failed && fold(other.command!) === fold(failed.command!));
    if (worked === null || twin !== undefined || !apart(failed, worked) || !isTellable(worked)) return [];
    return [candidate(failed, worked)];
  });
}

function isTellable(call: Call): boolean {
  return call.command!.trim().length <= maxCommandChars && !call.command!.trim().includes('\n');
}

/** The next successful command that runs the same program on much the same words. */
export function mended(failed: Call, later: readonly Call[]): Call | null {
  const words = wordsOf(failed.command!);
  return (
    later.slice(0, 12).find((call) => {
      if (call.command === null || call.failed || (call.text?.value ?? '').trim() === '') return false;
      const other = wordsOf(call.command);
      const common = words.filter((word) => other.includes(word)).length;
      return (
        other[0] === words[0] &&
        common < Math.max(words.length, other.length) &&
        common / Math.max(words.length, other.length) >= sameCommand
      );
    }) ?? null
  );
}

function wordsOf(command: string): string[] {
  return command
    .replace(/^\s*cd \S+ *(&&|;) */, '')
    .split(/[\s/|]+/)
    .filter((word) => word !== '');
}

function candidate(failed: Call, worked: Call): Candidate {
  const [before, after] = [failed.command!.trim(), worked.command!.trim()];
  const leaf = worked.args.find((one) => one.value === worked.command)!;
  const supports = [
    support(failed, 'response', null, failed.failure!),
    support(worked, 'arguments', leaf.path, after, leaf.key),
  ];
  return {
    family: 'recovery',
    qaType: 'reasoning',
    question: `Why did \`${before}\` fail, and which similar command worked later?`,
    answer: `It failed with "${failed.failure}"; \`${after}\` worked.`,
    support: supports,
    derivation: derivation('recovery', supports, after, { shell: before }),
    subject: `shell:${before}`,
    worth: 78,
    needs: [],
  };
}
