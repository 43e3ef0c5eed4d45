import type { Guard } from './guard.ts';

export const redactGuards: readonly Guard[] = [
  {
    name: 'a value is a secret by the name of its key',
    file: 'src/compile/redact/secrets/detect-secrets.ts',
    old: '  findByContext(text, context, found);\n',
    new: '',
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
  {
    name: 'keys and tokens are known by the forms of their vendors',
    file: 'src/compile/redact/secrets/detect-secrets.ts',
    old: '    if (form !== null) found.push({ ...form, certain: true });\n',
    new: '',
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
  {
    name: 'forms whose first word is short are looked for behind their mark',
    file: 'src/compile/redact/secrets/detect-secrets.ts',
    old: '    isMarked ||= followsMark(text, start);\n',
    new: '',
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
  {
    name: 'URLs with passwords are found',
    file: 'src/compile/redact/secrets/detect-secrets.ts',
    old: '  findUrls(text, found);\n',
    new: '',
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
  {
    name: 'private keys are found',
    file: 'src/compile/redact/secrets/detect-secrets.ts',
    old: '  findPrivateKeys(text, found);\n',
    new: '',
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
  {
    name: 'a private key whose begin was cut off is found by its end',
    file: 'src/compile/redact/secrets/private-keys.ts',
    old: '[...keys, ...cutKeys(text, keys, ends)]',
    new: 'keys',
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
  {
    name: 'secrets that a word names are found',
    file: 'src/compile/redact/secrets/detect-secrets.ts',
    old: '  findNamed(text, found);\n',
    new: '',
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
  {
    name: 'what a name says about a secret is not certain',
    file: 'src/compile/redact/secrets/detect-secrets.ts',
    old: "found.push({ kind: 'SECRET', from, to, certain: false });",
    new: "found.push({ kind: 'SECRET', from, to, certain: true });",
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
  {
    name: 'a placeholder is no secret',
    file: 'src/compile/redact/secrets/values.ts',
    old: '  if (placeholderMarks.test(value)) return false;\n',
    new: '',
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
  {
    name: 'tokens of the web are read from where a word begins, not from every place in it',
    file: 'src/compile/redact/secrets/vendor-forms.ts',
    old: '/(?:(?<![\\w-])|(?<=\\\\[nrtbf]))(?:eyJ',
    new: '/(?:eyJ',
    tests: ['test/compile/redact/secrets/detect-secrets.test.ts'],
  },
];
