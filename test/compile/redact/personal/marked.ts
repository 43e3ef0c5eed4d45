/** Texts in which what must be found is marked: `call ⟪PHONE|020 7946 0018⟫ today`. */
import { expect } from 'vitest';
import { createDetect } from '../../../../src/compile/redact/detect.ts';
import { type Detect, noContext, type TextContext } from '../../../../src/compile/redact/detection.ts';

const detectAll = createDetect({});

export function under(key: string, ...path: string[]): TextContext {
  return { key, path };
}

/** All that is marked is found as what it is marked, and nothing else. */
export function expectMarked(marked: string, context = noContext, detect: Detect = detectAll): void {
  const text = marked.replaceAll(/⟪\w+\||⟫/g, '');
  const wanted = [...marked.matchAll(/⟪(\w+)\|(.*?)⟫/gs)].map(([, kind, value]) => `${kind} ${value}`);
  expect(
    detect(text, context).map(({ kind, from, to }) => `${kind} ${text.slice(from, to)}`),
    text,
  ).toEqual(wanted);
}

/** Kinds of what is certain in a text. */
export function certainIn(text: string, detect: Detect = detectAll): string[] {
  return detect(text, noContext).flatMap(({ kind, certain }) => (certain ? [kind] : []));
}
