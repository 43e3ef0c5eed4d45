import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { openRedaction } from '../src/compiling/redaction.ts';
import type { Config } from '../src/config.ts';
import { exitCodes } from '../src/errors.ts';
import { createLogger } from '../src/log.ts';
import { redactInput } from '../src/redacting.ts';

const config = (settings: Partial<Config>) =>
  ({ 'redact.mode': 'on', 'redact.policy': {}, 'redact.namesFile': null, 'calls.url': null, ...settings }) as Config;

it('who stops a look at a pipe is told so, and not that the input is damaged', async () => {
  const stopping = new AbortController();
  const input = new PassThrough();
  const look = redactInput(config({}), input, stopping.signal).next();
  input.write('a line\n');
  stopping.abort();
  await expect(look).rejects.toMatchObject({ code: 'stopped', exitCode: exitCodes.partial });
});

it('a key of the vault that can be guessed is refused before anything is sealed with it', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'vault-'));
  const settings = { dataDir, 'redact.key': 'a key of sixteen and more', 'redact.vaultKey': 'short' };
  await expect(openRedaction(config(settings), createLogger('silent'))).rejects.toMatchObject({
    code: 'vault_key_too_short',
    exitCode: exitCodes.configuration,
  });
  rmSync(dataDir, { recursive: true });
});
