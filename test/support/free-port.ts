import { createServer } from 'node:net';

/**
 * A port of 127.0.0.1 that nobody listens on. Below the range that systems take for outgoing connections: while a server
 * is down, such a connection could sit on the port that it must come back to.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
