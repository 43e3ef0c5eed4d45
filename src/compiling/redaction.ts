/** From settings to redaction: its keys, its list of names, its store. */
import { readFileSync } from 'node:fs';
import { createDetect } from '../compile/redact/detect.ts';
import { openRedactor } from '../compile/redact/open-redactor.ts';
import type { PlaceholderStore } from '../compile/redact/placeholder-store.ts';
import { openPostgresPlaceholderStore } from '../compile/redact/placeholders-postgres.ts';
import { openPlaceholderStore } from '../compile/redact/placeholders-sqlite.ts';
import { noRedaction, type Redactor } from '../compile/redact/redactor.ts';
import type { Config } from '../config.ts';
import { exitCodes, messageOf, stop } from '../errors.ts';
import { longEnough, openKey } from '../key-file.ts';
import type { Logger } from '../log.ts';
import { filesOf } from '../stages.ts';

/** @throws OperatorError where the list of names can't be read, or a key or the store can't be opened. */
export async function openRedaction(
  config: Config,
  log: Logger,
  patience: { drain?: AbortSignal } = {},
): Promise<Redactor> {
  if (config['redact.mode'] === 'off') return noRedaction;
  const names = readNames(config['redact.namesFile']);
  const key = redactionKey(config);
  const vaultKey = vaultKeyOf(config);
  const placeholders = await openPlaceholders(config, log, patience);
  const detect = createDetect({ names });
  return openRedactor({
    detect,
    policy: config['redact.policy'],
    key,
    placeholders,
    vaultKey,
    names,
  });
}

/** @throws OperatorError `vault_key_too_short` for fewer than 16 characters. */
export function vaultKeyOf(config: Config): string | null {
  const key = config['redact.vaultKey'];
  if (key === null) return null;
  const words = { code: 'vault_key', what: 'the key of the vault', setting: 'redact.vaultKey (TC_REDACT_VAULT_KEY)' };
  return longEnough(key, words.setting, words);
}

/**
 * Hosts that each made a key of their own would give one value of a session several placeholders.
 *
 * @throws OperatorError `redact_key_missing`.
 */
export function refuseUnsharedKey(config: Config): void {
  if (config['calls.url'] !== null && config['redact.key'] === null) {
    throw stop(
      'redact_key_missing',
      'workers that share calls.url need one redact.key (TC_REDACT_KEY or TC_REDACT_KEY_FILE), the same on every host and for ever: it tells apart the values that redaction replaces',
      { exitCode: exitCodes.configuration },
    );
  }
}

/** @throws OperatorError `redact_key_missing`, `redact_key_too_short`, `redact_key_unusable`. */
export function redactionKey(config: Config): string {
  refuseUnsharedKey(config);
  return openKey(filesOf(config).redactKey, config['redact.key'], {
    code: 'redact_key',
    what: 'the key of redaction',
    setting: 'redact.key (TC_REDACT_KEY)',
  });
}

/** In the database of the call store where several hosts share one. */
export async function openPlaceholders(
  config: Config,
  log: Logger,
  patience: { drain?: AbortSignal } = {},
): Promise<PlaceholderStore> {
  const url = config['calls.url'];
  return url === null
    ? openPlaceholderStore(filesOf(config).placeholders)
    : openPostgresPlaceholderStore({ url, log, ...patience });
}

/** One name a line. @throws OperatorError `bad_settings` where the file cannot be read, or not as UTF-8. */
export function readNames(path: string | null): string[] {
  if (path === null) return [];
  return textOf(path)
    .split('\n')
    .flatMap((line) => line.trim() || []);
}

/** A list in another encoding would name nobody. */
function textOf(path: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    if (!text.includes('\0')) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw namesUnread(path, messageOf(error));
  }
  throw namesUnread(path, 'it is no UTF-8, save it as that');
}

function namesUnread(path: string, why: string) {
  return stop('bad_settings', `redact.namesFile: can't read ${path}: ${why}`, { exitCode: exitCodes.configuration });
}
