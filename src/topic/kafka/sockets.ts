/**
 * The sockets of kafkajs 2.2.4, held by us: after a broker was away it forgets some that are still open, also at its own
 * disconnect, and each of them keeps the process alive for ever.
 */
import { connect as connectPlain, isIP, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';

export interface Sockets {
  factory: ISocketFactory;
  /** Ends all that are open; from then on none can be opened. */
  close(): void;
}

const keepAliveMs = 60_000;

export function holdSockets(): Sockets {
  const open = new Set<Socket>();
  let isClosed = false;
  // As an error, since kafkajs cleans up after nothing else.
  const end = (socket: Socket) => socket.destroy(new Error('closed by us'));

  return {
    factory: ({ host, port, ssl, onConnect }) => {
      if (isClosed) {
        const refused = new Socket();
        process.nextTick(end, refused);
        return refused;
      }
      const name = isIP(host) === 0 ? { servername: host } : {};
      const socket = ssl
        ? connectTls({ host, port, ...name, ...ssl }, onConnect)
        : connectPlain({ host, port }, onConnect);
      socket.setKeepAlive(true, keepAliveMs);
      open.add(socket);
      socket.once('close', () => open.delete(socket));
      return socket;
    },
    close: () => {
      isClosed = true;
      for (const socket of [...open]) end(socket);
    },
  };
}
