/** A TCP proxy on 127.0.0.1 that can be away, cut its connections, or hold what passes. */
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
  stop(): Promise<void>;
}

type Frozen = 'nothing' | 'answers' | 'everything';

export async function startProxy(): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; upstream: Socket }>();
  let frozen: Frozen = 'nothing';

  const hold = ({ client, upstream }: { client: Socket; upstream: Socket }) => {
    if (frozen === 'everything') client.pause();
    else client.resume();
    if (frozen === 'nothing') upstream.resume();
    else upstream.pause();
  };
  const holdAll = (what: Frozen) => {
    frozen = what;
    for (const pair of pairs) hold(pair);
  };

  const server = createServer((client) => {
    const upstream = connect(proxy.target, '127.0.0.1');
    const pair = { client, upstream };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end);
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => client.write(bytes));
    hold(pair);
  });
  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve()));
  const close = () => new Promise((resolve) => server.close(resolve));
  const cut = () => {
    for (const { client } of [...pairs]) client.destroy();
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
    stop: async () => {
      cut();
      await close();
    },
  };
  return proxy;
}
