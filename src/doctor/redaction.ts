/** Redaction: the operator's list of names, and the keys. */
import { existsSync } from 'node:fs';
import { type Check, type Checklist, ok, warning } from '../checks.ts';
import { readNames, redactionKey, refuseUnsharedKey, vaultKeyOf } from '../compiling/redaction.ts';
import type { Config } from '../config.ts';
import { count } from '../dataset/figures.ts';
import { filesOf } from '../stages.ts';

export async function examineRedaction(list: Checklist, config: Config): Promise<void> {
  list.add(modeCheck(config));
  if (config['redact.mode'] === 'off') return;
  const path = config['redact.namesFile'];
  if (path !== null) {
    const names = await list.attempt('names_file', () => readNames(path));
    if (names !== null) list.add(namesCheck(path, names.length));
  }
  await examineKeys(list, config);
}

function modeCheck(config: Config): Check {
  const name = 'redact_mode';
  if (config['redact.mode'] === 'on') return ok(name, 'personal data and secrets are replaced before a text is stored');
  const sinks = config.sinks.join(' and ');
  const sentence = `redact.mode is off: ${sinks} get the rows as they are, personal data and secrets with them`;
  return warning(name, sentence, 'set redact.mode to on (TC_REDACT_MODE=on)');
}

function namesCheck(path: string, names: number): Check {
  if (names > 0) return ok('names_file', `${count(names)} names and terms of ${path} are masked`);
  return warning('names_file', `${path} names nobody`, 'write one name a line into it, or leave redact.namesFile out');
}

/** A key that is to be made is not made here. */
async function examineKeys(list: Checklist, config: Config): Promise<void> {
  const { redactKey } = filesOf(config);
  const given = config['redact.key'] !== null;
  const shared = await list.attempt('redact_key', () => refuseUnsharedKey(config) ?? true);
  if (shared !== null && (given || existsSync(redactKey))) {
    const from = given ? 'the settings' : redactKey;
    await list.attempt(
      'redact_key',
      () => redactionKey(config),
      () => `the key of redaction comes from ${from}`,
    );
  } else if (shared !== null) list.add(ok('redact_key', `${redactKey} is not there yet: the first run makes it`));
  await list.attempt(
    'vault',
    () => vaultKeyOf(config),
    (key) => (key === null ? 'masked values are kept nowhere' : 'masked values are kept encrypted (redact.vaultKey)'),
  );
}
