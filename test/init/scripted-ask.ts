/** Somebody who answers: to some questions as a script says, to all others what is offered first. */
import { type Ask, cancelled } from '../../src/init/ask.ts';

/** Of a question, and what is answered: text, the label of a choice, or yes and no; null is Ctrl-C. */
export type Answer = [question: RegExp, answer: string | RegExp | boolean | null];

export interface ScriptedAsk extends Ask {
  /** Everything that was said and asked, in order. */
  heard: string[];
  /** What the script has left. */
  unasked: Answer[];
}

/** Answers are given in the order of the script. */
export function scriptedAsk(...script: Answer[]): ScriptedAsk {
  const heard: string[] = [];
  const next = <T>(message: string, fallback: T) => {
    heard.push(message);
    if (script[0]?.[0].test(message) !== true) return fallback;
    const [, answer] = script.shift()!;
    if (answer === null) throw cancelled();
    return answer;
  };
  return {
    heard,
    unasked: script,
    text: async ({ message, initial = '', refuse }) => {
      for (let before: unknown; ; ) {
        const answer = String(next(message, initial));
        const complaint = refuse?.(answer);
        if (complaint === undefined) return answer;
        if (answer === before) throw new Error(`${message}: ${complaint}`);
        before = answer;
        heard.push(complaint);
      }
    },
    hidden: async (message) => String(next(message, '')),
    choose: async (message, choices, initial) => {
      heard.push(...choices.map(({ label }) => label));
      const usual = choices.find(({ value }) => value === initial) ?? choices[0]!;
      const answer = next(message, usual);
      if (answer === usual) return usual.value;
      const chosen = choices.find(({ label }) => (answer instanceof RegExp ? answer.test(label) : label === answer));
      if (chosen === undefined)
        throw new Error(`${message}: no ${String(answer)} among ${heard.slice(-20).join(' | ')}`);
      return chosen.value;
    },
    confirm: async (message, initial = true) => next(message, initial) === true,
    wait: async (message, work) => {
      heard.push(message);
      return await work;
    },
    show: (title, text) => void heard.push(title, text),
    tell: (line) => void heard.push(line),
    complain: (line) => void heard.push(line),
  };
}
