/** Failures that look the same whoever serves a model: connections that break, waits that are asked for. */
import { AnswerTooLarge } from './http-post.ts';
import { ModelFault } from './model.ts';

/** The request never left: nothing is billed. */
const notSent = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const certificate = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/** What a connection's failure means; `where` names the other side without credentials. */
export function connectionFault(error: unknown, where: string): ModelFault {
  if (error instanceof AnswerTooLarge)
    return new ModelFault('too_large', `${where} sent ${error.message}`, { kind: 'park', mayBeBilled: true });
  const code = codeIn(error);
  if (code !== null && certificate.test(code)) {
    const message = `the certificate of ${where} is not accepted (${code}): mend it, or set NODE_EXTRA_CA_CERTS to the file of its authority`;
    return new ModelFault('not_trusted', message, { kind: 'stop', mayBeBilled: false });
  }
  if (code !== null && notSent.has(code))
    return new ModelFault('network', `${where} can't be reached (${code})`, { kind: 'retry', mayBeBilled: false });
  const said = code === null ? '' : ` (${code})`;
  return new ModelFault('network', `the connection to ${where} broke${said}`, { kind: 'retry', mayBeBilled: true });
}

/** Node's and undici's errors carry it, or their cause does. */
function codeIn(error: unknown): string | null {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 3; at = at.cause, depth++) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && /^[A-Z_0-9]{1,60}$/.test(code)) return code;
  }
  return null;
}

export function redirectFault(where: string, setting: string, status: number): ModelFault {
  const message = `${where} answered with a redirection (${status}), which is not followed, since a prompt would go to another address than the one that was set: check ${setting}`;
  return new ModelFault('redirected', message, { kind: 'stop', mayBeBilled: false });
}

/** `Retry-After` in seconds or as a date. https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function retryAfterMs(header: string | null, now: Date): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}(\.\d+)?$/.test(header)) return Math.ceil(Number(header) * 1000);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}
