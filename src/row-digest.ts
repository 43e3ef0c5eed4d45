/**
 * Keyed digests of rows. What is stored of a row may be redacted; its digest still shows, to whoever has the key and the
 * table, that the row was taken in and has not been changed since. A leaf.
 */
import { createHmac } from 'node:crypto';
import { openKey } from './key-file.ts';
import { createKeyedHash } from './keyed-hash.ts';
import type { Turn } from './records.ts';

export interface RowDigester {
  /** Names the key without giving it away: 8 hex digits. */
  keyId: string;
  /** `KEYID:DIGEST`: which key, then 128 bits of HMAC-SHA-256 over the row's text, base64url. */
  digestOf(turn: Turn): string;
}

/** 128 bits in base64url. */
const digestLength = 22;

/** Every row that is captured passes here. */
export function createDigester(key: string): RowDigester {
  const keyedHash = createKeyedHash(key);
  const keyId = keyIdOf(key);
  const prefix = `${keyId}:`;
  return {
    keyId,
    digestOf: (turn) => prefix + keyedHash(rowTextOf(turn), 'base64url').slice(0, digestLength),
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
 * The installation's key: that of the settings, else the one in the data directory's file.
 *
 * @throws OperatorError `digest_key_too_short`, `digest_key_unusable`, as {@link openKey} does.
 */
export function openDigestKey(path: string, fromSettings: string | null): string {
  return openKey(path, fromSettings, {
    code: 'digest_key',
    what: 'the key of the digests',
    setting: 'capture.digestKey (TC_CAPTURE_DIGEST_KEY)',
  });
}
