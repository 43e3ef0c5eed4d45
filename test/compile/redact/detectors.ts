/** Detectors that are simple enough to know what they find: the redactor's tests are about what becomes of it. */
import type { Detect, Detection } from '../../../src/compile/redact/detection.ts';
import type { Kind } from '../../../src/compile/redact/kinds.ts';
import { openRedactor, type RedactorOptions, type TextRedactor } from '../../../src/compile/redact/open-redactor.ts';
import { createMemoryPlaceholders } from '../../../src/compile/redact/placeholders-sqlite.ts';

const forms: [Kind, RegExp][] = [
  ['EMAIL', /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}/g],
  ['CARD', /\b4\d{15}\b/g],
  ['PHONE', /\b07\d{3} ?\d{6}\b/g],
  ['IP', /\b(?:\d{1,3}\.){3}\d{1,3}\b/g],
];

const byKey: Partial<Record<string, Kind>> = { password: 'SECRET', customer_name: 'PERSON', member: 'NATIONAL_ID' };

/** E-mail addresses, cards, telephones and IP addresses by their form; by key a password, a name and a member's number. */
export const detectForms: Detect = (text, { key }) => {
  const found: Detection[] = [];
  for (const [kind, form] of forms) {
    for (const { index, 0: value } of text.matchAll(form)) {
      found.push({ kind, from: index, to: index + value.length, certain: true });
    }
  }
  const kind = key === null ? undefined : byKey[key];
  if (kind !== undefined) found.push({ kind, from: 0, to: text.length, certain: false });
  return found;
};

export function redactorOf(options: Partial<RedactorOptions> = {}): TextRedactor {
  return openRedactor({
    detect: detectForms,
    policy: {},
    key: 'a key of these tests',
    placeholders: createMemoryPlaceholders(),
    vaultKey: null,
    names: [],
    ...options,
  });
}
