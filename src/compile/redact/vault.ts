/**
 * The vault: what was masked, encrypted, so that whoever has its key can bring it back. AES-256-GCM with a random nonce
 * under a key of the session; a value opens for the session, kind and hash alone that it was sealed for.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, scryptSync } from 'node:crypto';
import { exitCodes, stop } from '../../errors.ts';
import type { Kind } from './kinds.ts';
import type { SessionName } from './placeholder-store.ts';

export interface Sealed {
  kind: Kind;
  hash: string;
}

export interface Vault {
  seal(session: SessionName, name: Sealed, value: string): Buffer;
  /** @throws OperatorError `vault_key` where the key is another, or what is stored was changed. */
  open(session: SessionName, name: Sealed, sealed: Buffer): string;
}

const version = 1;
const nonceBytes = 12;
const tagBytes = 16;
const keyBytes = 32;

/** The same for every installation: the key is a secret of its own already, and the nonces are random. */
const salt = 'trajectory-compiler vault/1';

/** `vaultKey`: a secret of at least 16 characters. Takes a tenth of a second, so that guessing one takes its time too. */
export function openVault(vaultKey: string): Vault {
  const root = scryptSync(vaultKey.normalize('NFKC'), salt, keyBytes, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 });
  const keyOf = ({ source, sessionId }: SessionName) =>
    Buffer.from(hkdfSync('sha256', root, salt, JSON.stringify([source, sessionId]), keyBytes));
  const boundTo = ({ source, sessionId }: SessionName, { kind, hash }: Sealed) =>
    Buffer.from(JSON.stringify([version, source, sessionId, kind, hash]));

  return {
    seal(session, name, value) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', keyOf(session), nonce);
      cipher.setAAD(boundTo(session, name));
      const body = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
      return Buffer.concat([Buffer.of(version), nonce, cipher.getAuthTag(), body]);
    },
    open(session, name, sealed) {
      try {
        if (sealed[0] !== version) throw new Error('another version');
        const nonce = sealed.subarray(1, 1 + nonceBytes);
        const tag = sealed.subarray(1 + nonceBytes, 1 + nonceBytes + tagBytes);
        const decipher = createDecipheriv('aes-256-gcm', keyOf(session), nonce, { authTagLength: tagBytes });
        decipher.setAAD(boundTo(session, name));
        decipher.setAuthTag(tag);
        const body = sealed.subarray(1 + nonceBytes + tagBytes);
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
      } catch {
        throw stop(
          'vault_key',
          'the vault does not open: redact.vaultKey (TC_REDACT_VAULT_KEY) is not the key that its values were sealed with, or they were changed since',
          { exitCode: exitCodes.configuration },
        );
      }
    },
  };
}
