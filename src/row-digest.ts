/**
 * Keyed digests of rows. What is stored of a row may be redacted; its digest still shows, to whoever has the key and the
 * table, that the row was taken in and has not been changed since. A leaf.
 */
import { createHash, createHmac, hash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { exitCodes, messageOf, stop } from './errors.ts';
import type { Turn } from './records.ts';

export interface RowDigester {
  /** Names the key without giving it away: 8 hex digits. */
  keyId: string;
  /** `KEYID:DIGEST`: which key, then 128 bits of HMAC-SHA-256 over the row's text, base64url. */
  digestOf(turn: Turn): string;
}

/** Characters of a key that is refused for being guessable are fewer than this. */
const minKeyLength = 16;

/** 128 bits in base64url. */
const digestLength = 22;

// HMAC-SHA-256 works on blocks of 64 bytes and gives 32.
const blockBytes = 64;
const hashBytes = 32;

/** Rows up to this many UTF-16 code units are digested in a buffer that is kept; UTF-8 takes at most three bytes each. */
const keptTextLength = 64 * 1024;

/**
 * HMAC as its definition has it, H(key ^ opad, H(key ^ ipad, text)), by two one-shot hashes with both pads at hand:
 * every row that is captured passes here, and an Hmac object a row costs half as much again.
 */
export function createDigester(key: string): RowDigester {
  const bytes = Buffer.from(key, 'utf8');
  const block = Buffer.alloc(blockBytes);
  (bytes.length > blockBytes ? createHash('sha256').update(bytes).digest() : bytes).copy(block);
  const inner = Buffer.alloc(blockBytes + 3 * keptTextLength);
  const outer = Buffer.alloc(blockBytes + hashBytes);
  for (const [i, byte] of block.entries()) {
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  const keyId = keyIdOf(key);
  const prefix = `${keyId}:`;

  return {
    keyId,
    digestOf(turn) {
      const text = rowTextOf(turn);
      if (text.length > keptTextLength) {
        return prefix + createHmac('sha256', bytes).update(text).digest('base64url').slice(0, digestLength);
      }
      const written = inner.write(text, blockBytes);
      // One character a byte costs less than a buffer for each of the two.
      outer.write(hash('sha256', inner.subarray(0, blockBytes + written), 'binary'), blockBytes, 'binary');
      return prefix + hash('sha256', outer, 'base64url').slice(0, digestLength);
    },
  };
}

/** Names a key without giving it away: 8 hex digits. */
function keyIdOf(key: string): string {
  return createHmac('sha256', key).update('key id').digest('hex').slice(0, 8);
}

/**
 * All text of the row and nothing of when or how it came. Each value is framed by its length in UTF-16 code units, so
 * that no two rows run together. A metadata column that is null counts as absent: a column added to the table later
 * changes no digest of the rows before it.
 */
export function rowTextOf(turn: Turn): string {
  const text =
    'row/1' +
    framed(turn.rowKey) +
    framed(turn.sessionId) +
    framed(turn.agent) +
    framed(turn.tool) +
    framed(turn.arguments) +
    framed(turn.response) +
    framed(turn.costUsd) +
    framed(turn.durationMs) +
    framed(turn.createdAt);
  return turn.metadata === undefined ? text : text + metadataText(turn.metadata);
}

function metadataText(metadata: NonNullable<Turn['metadata']>): string {
  let text = '';
  for (const name of Object.keys(metadata).sort()) {
    const value = metadata[name] ?? null;
    if (value !== null) text += framed(name) + framed(value);
  }
  return text;
}

function framed(value: string | null): string {
  return value === null ? '-' : `${value.length}:${value}`;
}

/**
 * The installation's key: that of the settings, else the one in the data directory's file, which is made with 32 random
 * bytes at first use and is for its owner's eyes only. Processes that start together get the same one.
 *
 * @throws OperatorError `digest_key_too_short` for fewer than 16 characters, `digest_key_unusable` where the file can
 * neither be read nor made.
 */
export function openDigestKey(path: string, fromSettings: string | null): string {
  if (fromSettings !== null) return longEnough(fromSettings, 'capture.digestKey (TC_CAPTURE_DIGEST_KEY)');
  try {
    const key = readKey(path) ?? makeKey(path);
    return longEnough(key, path);
  } catch (error) {
    throw explainKeyFile(error, path);
  }
}

function longEnough(key: string, where: string): string {
  if (key.length >= minKeyLength) return key;
  throw stop(
    'digest_key_too_short',
    `the key of the digests in ${where} has ${key.length} characters: give it at least ${minKeyLength}`,
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

/** Digests are compared for years: the key must not be gone after a power cut that their rows survived. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function explainKeyFile(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  return stop(
    'digest_key_unusable',
    `the key of the digests, ${path}, can't be read or made: ${messageOf(error)}: make it readable, or set capture.digestKey (TC_CAPTURE_DIGEST_KEY)`,
    { exitCode: exitCodes.configuration, cause: error },
  );
}
