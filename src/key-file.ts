/** Keys of this installation, each in a file of the data directory unless the settings give it. A leaf. */
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { exitCodes, messageOf, stop } from './errors.ts';

export interface KeyWords {
  /** Begins the codes of its errors. */
  code: string;
  /** `the key of the digests`. */
  what: string;
  /** By which it is given instead. */
  setting: string;
}

/** Characters of a key that is refused for being guessable are fewer than this. */
const minKeyLength = 16;

/**
 * The key of the settings, else the one in the file, which is made with 32 random bytes at first use and is for its
 * owner's eyes only. Processes that start together get the same one.
 *
 * @throws OperatorError `…_too_short` for fewer than 16 characters, `…_unusable` where the file can neither be read nor
 * made.
 */
export function openKey(path: string, fromSettings: string | null, words: KeyWords): string {
  if (fromSettings !== null) return longEnough(fromSettings, words.setting, words);
  try {
    return longEnough(readKey(path) ?? makeKey(path), path, words);
  } catch (error) {
    throw explainKeyFile(error, path, words);
  }
}

/** @throws OperatorError `…_too_short`. */
export function longEnough(key: string, where: string, { code, what }: KeyWords): string {
  if (key.length >= minKeyLength) return key;
  throw stop(
    `${code}_too_short`,
    `${what} in ${where} has ${key.length} characters: give it at least ${minKeyLength}`,
    { exitCode: exitCodes.configuration },
  );
}

function readKey(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The file appears whole or not at all, and whoever comes second keeps the first one's key. */
function makeKey(path: string): string {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(draft, `${randomBytes(32).toString('base64url')}\n`, { flag: 'wx', mode: 0o600, flush: true });
    linkSync(draft, path);
    syncFolder(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  return readFileSync(path, 'utf8').trim();
}

/** What a key was used for is kept for years: the key must not be gone after a power cut that the rest survived. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function explainKeyFile(error: unknown, path: string, { code, what, setting }: KeyWords): unknown {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  return stop(
    `${code}_unusable`,
    `${what}, ${path}, can't be read or made: ${messageOf(error)}: make it readable, or set ${setting}`,
    { exitCode: exitCodes.configuration, cause: error },
  );
}
