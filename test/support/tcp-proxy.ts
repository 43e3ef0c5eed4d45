/** A TCP proxy on 127.0.0.1 that can be away, slow, cut its connections, or hold or swallow what passes. */
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  port: number;
  /** Where to; must be set before the first connection. */
  target: number;
  /** Connections that are open. */
  readonly connections: number;
  /** Closes all connections; new ones are taken. */
  cut(): void;
  /** Closes all connections and refuses new ones, until `open`. */
  refuse(): Promise<void>;
  open(): Promise<void>;
  /** Holds what comes back from the target (or what goes there too), on all connections, until `thaw`. */
  freeze(what: 'answers' | 'everything'): void;
  thaw(): void;
  /** Whatever passes from now on takes so many milliseconds longer, in its order. */
  delay(ms: number): void;
  /**
   * On the connections that are open now, what comes back (or what goes there too) is gone, for good. With `everything`
   * neither side learns that the other has closed: the connection is half open. New connections are sound.
   */
  swallow(what: 'answers' | 'everything'): void;
  stop(): Promise<void>;
}

type Affected = 'nothing' | 'answers' | 'everything';

interface Pair {
  client: Socket;
  upstream: Socket;
  swallowed: Affected;
}

export async function startProxy(): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let frozen: Affected = 'nothing';
  let delayMs = 0;

  const hold = ({ client, upstream }: Pair) => {
    if (frozen === 'everything') client.pause();
    else client.resume();
    if (frozen === 'nothing') upstream.resume();
    else upstream.pause();
  };
  const holdAll = (what: Affected) => {
    frozen = what;
    for (const pair of pairs) hold(pair);
  };
  /** Writes in the order of arrival, each piece as late as the delay was when it came. */
  const sender = (to: Socket) => {
    let last: Promise<void> | null = null;
    return (bytes: Buffer) => {
      if (delayMs === 0 && last === null) return void to.write(bytes);
      const due = performance.now() + delayMs;
      const sent: Promise<void> = (last ?? Promise.resolve())
        .then(() => new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, due - performance.now()))))
        .then(() => {
          if (!to.destroyed) to.write(bytes);
          if (last === sent) last = null;
        });
      last = sent;
    };
  };

  const server = createServer((client) => {
    const upstream = connect(proxy.target, '127.0.0.1');
    const pair: Pair = { client, upstream, swallowed: 'nothing' };
    pairs.add(pair);
    const end = (socket: Socket) => {
      socket.destroy();
      if (pair.swallowed === 'everything' && !(client.destroyed && upstream.destroyed)) return;
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('error', () => end(socket)).on('close', () => end(socket));
    const [toUpstream, toClient] = [sender(upstream), sender(client)];
    client.on('data', (bytes) => {
      if (pair.swallowed !== 'everything') toUpstream(bytes);
    });
    upstream.on('data', (bytes) => {
      if (pair.swallowed === 'nothing') toClient(bytes);
    });
    hold(pair);
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve()));
  const close = () => new Promise((resolve) => server.close(resolve));
  const cut = () => {
    for (const pair of [...pairs]) {
      pair.swallowed = 'nothing';
      pair.client.destroy();
      pair.upstream.destroy();
    }
  };

  await listen(0);
  const proxy: TcpProxy = {
    port: (server.address() as { port: number }).port,
    target: 0,
    get connections() {
      return pairs.size;
    },
    cut,
    refuse: async () => {
      const closed = close();
      cut();
      await closed;
    },
    open: () => listen(proxy.port),
    freeze: holdAll,
    thaw: () => holdAll('nothing'),
    delay: (ms) => {
      delayMs = ms;
    },
    swallow: (what) => {
      for (const pair of pairs) pair.swallowed = what;
    },
    stop: async () => {
      const closed = close();
      cut();
      await closed;
    },
  };
  return proxy;
}
