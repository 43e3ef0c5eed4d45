/** Whether a host is known by name and takes connections at a port; nothing is said on them. */
import { connect } from 'node:net';

export interface HostPort {
  host: string;
  port: number;
}

const withinMs = 3_000;

/** `kafka-1:9092`, `[::1]:9092` */
export function hostPortOf(address: string): HostPort {
  const [, host = address, port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  return { host, port: Number(port) };
}

/** Null where it is reached; else why not, as it follows a colon. */
export function whyUnreachable({ host, port }: HostPort, signal: AbortSignal): Promise<string | null> {
  if (port < 1 || port > 65_535) return Promise.resolve('no port is given: write host:port');
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: withinMs });
    const settle = (why: string | null) => {
      signal.removeEventListener('abort', stopped);
      socket.destroy();
      resolve(why);
    };
    const stopped = () => settle('stopped');
    signal.addEventListener('abort', stopped, { once: true });
    socket.once('connect', () => settle(null));
    socket.once('timeout', () => settle(`no answer within ${withinMs / 1000} s`));
    socket.once('error', (error: NodeJS.ErrnoException) => settle(reasonOf(error)));
  });
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'nobody listens there (ECONNREFUSED)',
  ENOTFOUND: 'this host knows no such name (ENOTFOUND)',
  EAI_AGAIN: 'names can not be looked up (EAI_AGAIN)',
};

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  return reasons[code ?? ''] ?? code ?? message;
}
