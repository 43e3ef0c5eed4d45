/** A turn as the families see it: what was called on what, what came back, and whether it changed anything. */
import type { RenderedTurn, SegmentView } from '../compiler.ts';
import { type FoundRecord, isObject, type Leaf, leavesOf, recordsOf } from '../flatten.ts';
import { givesInstructions } from '../gates/instructions.ts';
import { type Reading, readingsOf } from '../readings.ts';
import { failureOf, hasFailed } from './failure.ts';
import { isShell, shellEffect } from './shell.ts';
import { isChangingVerb, isReadingVerb } from './verbs.ts';
import { splitName } from './words.ts';

export type Effect = 'reads' | 'changes' | 'unclear';

export interface Call {
  index: number;
  /** Rank among the evidence-bearing turns: what adjacency is counted over. */
  rank: number;
  turn: RenderedTurn;
  tool: string;
  agent: string;
  /** What people or agents say to each other, as opposed to what they do. */
  isMessage: boolean;
  /** Scalars of the arguments, without the agent's own reasoning. */
  args: Leaf[];
  /** Tool and arguments: two calls with the same one ask the same thing. */
  signature: string;
  /** The shell command, where the call is one. */
  command: string | null;
  effect: Effect;
  failed: boolean;
  /** Why it failed, in the tool's words; null where it did not, or where no line says why. */
  failure: string | null;
  /** The response's main text, where it has one, and the path it stands at (null: the response is the text). */
  text: { value: string; path: string | null } | null;
  readings: Reading[];
  leaves: Leaf[];
  records: FoundRecord[];
  /** It holds text that reads like an instruction to a model: no support. */
  tainted: boolean;
}

const ownWords = /^(thoughts?|thinking|reason(ing)?|rationale|explanation|justification|impl_source|security_risk)$/i;
const messageTool = /^(message|chat|say|reply|respond|user|assistant|system|final_answer|finish|ask_user)([._:/]|$)/i;
const known = new WeakMap<SegmentView, Call[]>();

/** The evidence-bearing turns of a view, in order: `calls[i].rank` is `i`. */
export function callsOf(view: SegmentView): Call[] {
  const before = known.get(view);
  if (before !== undefined) return before;
  const calls: Call[] = [];
  known.set(view, calls);
  for (const turn of view.turns) {
    if (turn.bearsEvidence) calls.push(callOf(turn, calls.length));
  }
  return calls;
}

function callOf(turn: RenderedTurn, rank: number): Call {
  const tool = turn.turn.tool ?? '';
  const args = leavesOf(turn.arguments).filter((leaf) => !ownWords.test(leaf.key));
  const text = mainText(turn.response);
  const command = isShell(tool, args) ? shellCommand(args) : null;
  const isMessage = tool === '' || messageTool.test(tool);
  return {
    index: turn.index,
    rank,
    turn,
    tool,
    agent: turn.turn.agent ?? '',
    isMessage,
    args,
    signature: `${tool}(${args.map((leaf) => `${leaf.path}=${leaf.value}`).join('\u0001')})`,
    command,
    effect: isMessage ? 'reads' : effectOf(tool, args, command, text?.value ?? ''),
    failed: !isMessage && hasFailed(turn.response),
    failure: isMessage ? null : failureOf(turn.response),
    text,
    readings: isMessage || text === null || text.value.length > 6000 ? [] : readingsOf(text.value),
    leaves: isObject(turn.response) || Array.isArray(turn.response) ? leavesOf(turn.response) : [],
    records: recordsOf(turn.response, { tool, asked: args.map((leaf) => leaf.value) }),
    tainted: givesInstructions(turn.text),
  };
}

function shellCommand(args: readonly Leaf[]): string | null {
  return args.find((leaf) => /^(command|cmd|script|action|code|input)$/i.test(leaf.key))?.value ?? null;
}

function mainText(response: unknown): Call['text'] {
  if (typeof response === 'string') return response === '' ? null : { value: response, path: null };
  if (!isObject(response)) return null;
  for (const key of ['content', 'output', 'stdout', 'text', 'message', 'result']) {
    const value = response[key];
    if (typeof value === 'string' && value !== '') return { value, path: key };
  }
  return null;
}

/** Editors that look and change by one name: what they do stands in their arguments. */
function isEditor(tool: string): boolean {
  return splitName(tool).includes('editor');
}
const editKey = /^(old|new)_?(str|text|string)$|^(file_?text|insert_line|content)$/i;

const opened = /^(file|document|doc|url|page|browser|tab|email|mail|message|folder|link|site|website)s?$/;
/** "Roaming was already enabled": asked for, and nothing was done. */
const saysNothingDone =
  /\balready\b.{0,40}\b(on|off|enabled|disabled|active|set|connected|disconnected|open|closed|done|exists?)\b|\bno changes? (was|were) made\b|\bnothing (was |has )?(to do|changed)\b/i;
const saysDone = /\b(is now|are now|successfully|has been|have been|was updated|was created|now (on|off|set))\b/i;

/** By the verb in the tool's name; where that says nothing, by what the response claims to have done. */
function effectOf(tool: string, args: readonly Leaf[], command: string | null, text: string): Effect {
  if (command !== null) return shellEffect(command);
  if (isEditor(tool)) return args.some((leaf) => editKey.test(leaf.key)) ? 'changes' : 'reads';
  const words = splitName(tool);
  const done = saysNothingDone.test(text.slice(0, 120)) ? 'reads' : 'changes';
  for (const word of [words[0] ?? '', words.at(-1) ?? '', ...words]) {
    if (isChangingVerb(word) && word !== 'order' && word !== 'file') return done;
    if (isReadingVerb(word)) return 'reads';
  }
  if (isChangingVerb(words[0] ?? '')) return done;
  // A document is opened to be read; a valve is not.
  if (words[0] === 'open' && words.slice(1).every((word) => opened.test(word))) return 'reads';
  return saysDone.test(text.slice(0, 300)) ? 'changes' : 'unclear';
}

/** Whether some turn that bears evidence lies between the two. */
export function apart(a: Call, b: Call): boolean {
  return Math.abs(a.rank - b.rank) > 1;
}
