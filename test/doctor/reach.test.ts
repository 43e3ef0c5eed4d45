import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { hostPortOf, whyUnreachable } from '../../src/doctor/reach.ts';
import { freePort } from '../support/free-port.ts';
import { forever } from './looking.ts';

it.each([
  ['kafka-1:9092', { host: 'kafka-1', port: 9092 }],
  ['[::1]:9092', { host: '::1', port: 9092 }],
  ['kafka-1', { host: 'kafka-1', port: 0 }],
])('%s is taken apart', (address, parts) => {
  expect(hostPortOf(address)).toEqual(parts);
});

it('why a port is not reached is said in words', async () => {
  const server = createServer((socket) => void socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  expect(await whyUnreachable({ host: '127.0.0.1', port }, forever)).toBeNull();
  await new Promise((resolve) => server.close(resolve));
  const why = (host: string, at: number) => whyUnreachable({ host, port: at }, forever);
  expect(await why('127.0.0.1', await freePort())).toContain('nobody listens there');
  expect(await why('nobody.invalid', 9092)).toMatch(/no such name|can not be looked up/);
  expect(await why('kafka-1', 0)).toContain('write host:port');
});
