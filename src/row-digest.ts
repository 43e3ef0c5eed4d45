/**
 * Keyed digests of rows. What is stored of a row may be redacted; its digest still shows, to whoever has the key and the
 * table, that the row was taken in and has not been changed since. A leaf.
 */
import { createHash, createHmac, hash } from 'node:crypto';
import { openKey } from './key-file.ts';
import type { Turn } from './records.ts';

export interface RowDigester {
  /** Names the key without giving it away: 8 hex digits. */
  keyId: string;
  /** `KEYID:DIGEST`: which key, then 128 bits of HMAC-SHA-256 over the row's text, base64url. */
  digestOf(turn: Turn): string;
}

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
