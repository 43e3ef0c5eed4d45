/** What a signal does to commands that have nothing to finish. */
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startCli } from '../support/cli.ts';

let silent: Server;
let asked: number;

beforeAll(async () => {
  silent = createServer((socket) => {
    asked += 1;
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
});
afterAll(() => void silent.close());

it.each(['extract', 'estimate'])(
  'the first signal ends %s, which only reads, while it waits for a server',
  async (command) => {
    asked = 0;
    const { port } = silent.address() as AddressInfo;
    const running = startCli([command], { env: { TC_POSTGRES_URL: `postgres://nobody@127.0.0.1:${port}/nowhere` } });
    await vi.waitFor(() => expect(asked).toBeGreaterThan(0), { timeout: 20_000 });
    running.child.kill('SIGINT');
    expect(await running.finished).toMatchObject({ signal: 'SIGINT', stderr: '' });
  },
);
