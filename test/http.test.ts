import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { serveHttp } from '../src/http.ts';

const serving = (host: string, port: number) =>
  serveHttp({
    host,
    port,
    registry: new Registry(),
    beforeScrape: async () => {},
    notReady: () => null,
    status: () => ({}),
  });

it('a port that somebody has is told apart from an address that is not of this host, each with what mends it', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  await expect(serving('127.0.0.1', port)).rejects.toMatchObject({
    code: 'port_taken',
    exitCode: 3,
    message: expect.stringMatching(/EADDRINUSE.*set metrics\.port/),
  });
  await new Promise((resolve) => other.close(resolve));
  await expect(serving('192.0.2.1', port)).rejects.toMatchObject({
    code: 'port_unusable',
    exitCode: 3,
    message: expect.stringMatching(/EADDRNOTAVAIL.*set metrics\.host/),
  });
});
