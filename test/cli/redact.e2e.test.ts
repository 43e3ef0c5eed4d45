import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/program.ts';
import { createDetect } from '../../src/compile/redact/detect.ts';
import { openRedactor } from '../../src/compile/redact/open-redactor.ts';
import { openPlaceholderStore } from '../../src/compile/redact/placeholders-sqlite.ts';
import { runCli } from '../support/cli.ts';
import { trajectoryOf } from '../support/trajectories.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tc-redact-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const argumentsOf = (args: string[]) => ['redact', ...args, '--data-dir', join(folder, 'data')];

/** In this process, on a file. */
async function runOn(text: string, args: string[]) {
  const file = join(folder, 'input.txt');
  writeFileSync(file, text);
  let stdout = '';
  let stderr = '';
  const out = (part: string) => {
    stdout += part;
  };
  const err = (part: string) => {
    stderr += part;
  };
  const code = await runCommandLine(argumentsOf([file, ...args]), { env: {}, out, err, version: 'test' });
  return { code, stdout, stderr };
}

describe('redact', () => {
  const input = '{"to":"bob@example.com","card":4111111111111111}\n\nWrite to bob@example.com, ⟦EMAIL_7⟧!\n';

  it('shows what redaction makes of a text, counts by kind, and writes nothing', async () => {
    writeFileSync(join(folder, 'names.txt'), 'Write\n');
    const { code, stdout, stderr } = await runCli(argumentsOf(['--redact-names-file', 'names.txt']), {
      cwd: folder,
      stdin: input,
    });
    expect(stdout).toBe('{"to":"⟦EMAIL_1⟧","card":"⟦CARD_1⟧"}\n\n⟦PERSON_1⟧ to ⟦EMAIL_1⟧, ⟪EMAIL_7⟫!\n');
    expect(stderr).toMatch(/EMAIL +2 +e-mail address\n/);
    expect(code).toBe(0);
    expect(existsSync(join(folder, 'data'))).toBe(false);
  });

  it('says with --json where it found what, and no value', async () => {
    const { stdout } = await runOn(input, ['--json']);
    const spans = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { from: number; to: number; line: number });
    expect(spans).toEqual([
      { line: 1, kind: 'EMAIL', from: 7, to: 22, certain: true },
      { line: 1, kind: 'CARD', from: 31, to: 47, certain: true },
      { line: 3, kind: 'EMAIL', from: 59, to: 74, certain: true },
    ]);
    expect(spans.map(({ from, to }) => input.slice(from, to)).join()).toBe(
      'bob@example.com,4111111111111111,bob@example.com',
    );
  });

  it('puts the values of a session back, given its id and the key of the vault', async () => {
    const vaultKey = 'a vault key of these tests';
    const redactor = openRedactor({
      detect: createDetect({ names: [] }),
      policy: {},
      key: 'a key of these tests',
      placeholders: openPlaceholderStore(join(folder, 'data', 'placeholders.sqlite')),
      vaultKey,
      names: [],
    });
    await redactor.redact(trajectoryOf([{ response: 'bob@example.com' }]));
    await redactor.close();
    const restore = ['--restore', '--session', 'session-1', '--redact-vault-key', vaultKey];
    const question = 'Who is ⟦EMAIL_1⟧, and who ⟦EMAIL_2⟧?\n{"a":"⟦EMAIL_1⟧"}\n';
    expect(await runOn(question, restore)).toMatchObject({
      code: 0,
      stdout: 'Who is bob@example.com, and who ⟦EMAIL_2⟧?\n{"a":"bob@example.com"}\n',
    });
    const unknown = await runOn(question, ['--restore', '--session', 'nobody', '--redact-vault-key', vaultKey]);
    expect(unknown).toMatchObject({ code: 3, stdout: '' });
    expect(unknown.stderr).toContain('the vault holds nothing of session nobody');
  });
});
