/** A page of commands with what they printed. */

/** What differs from run to run or tells of the machine: replaced in everything that is recorded. */
export type Replacement = readonly [found: string | RegExp, by: string];

export class Page {
  readonly #parts: string[] = [];
  readonly #replacements: readonly Replacement[];
  readonly #say: (line: string) => void;

  constructor(replacements: readonly Replacement[], say: (line: string) => void) {
    this.#replacements = replacements;
    this.#say = say;
  }

  heading(title: string): void {
    this.#say(`== ${title}`);
    this.#parts.push(`## ${title}`);
  }

  prose(text: string): void {
    this.#parts.push(this.#clean(text).trim());
  }

  /** Something to look at: a file, a statement. */
  show(language: string, text: string): void {
    this.#parts.push(`\`\`\`${language}\n${this.#clean(text)}\n\`\`\``);
  }

  /** What somebody typed, and what came back, of both streams. */
  command(typed: string, output: string): void {
    this.#say(`$ ${typed}`);
    this.#parts.push(`\`\`\`console\n$ ${typed}\n${this.#clean(output)}\n\`\`\``.replace(/\n\n```$/, '\n```'));
  }

  text(title: string): string {
    return `# ${title}\n\n${this.#parts.join('\n\n')}\n`;
  }

  #clean(text: string): string {
    let cleaned = text;
    for (const [found, by] of this.#replacements) cleaned = cleaned.replaceAll(found as string, by);
    return cleaned.trimEnd();
  }
}

/** The first and last lines, where there are more than `most`. */
export function shortened(text: string, most: number): string {
  const lines = text.trimEnd().split('\n');
  if (lines.length <= most) return text;
  const head = Math.ceil((most * 2) / 3);
  const left = lines.length - most;
  return [...lines.slice(0, head), `… ${left} more lines …`, ...lines.slice(lines.length - (most - head))].join('\n');
}
