import { expect, test } from 'vitest';
import { lsnOf } from '../../src/stream/lsn.ts';
import { readKeepalive } from '../../src/stream/replication.ts';

function keepalive(position: bigint, replyRequested: number): Buffer {
  const message = Buffer.alloc(18);
  message.write('k');
  message.writeBigUInt64BE(position, 1);
  message[17] = replyRequested;
  return message;
}

test('a keepalive says how far the server is, and whether it waits for an answer', () => {
  expect(readKeepalive(keepalive(0x1_0000_0002n, 0))).toEqual({ lsn: lsnOf(0x1_0000_0002n), replyRequested: false });
  expect(readKeepalive(keepalive(7n, 1))).toEqual({ lsn: lsnOf(7n), replyRequested: true });
});

test('a message of a kind that no walsender sends today is an error, not a position', () => {
  const other = keepalive(7n, 0);
  other.write('s');
  expect(() => readKeepalive(other)).toThrow('unknown replication message 0x73');
  expect(() => readKeepalive(keepalive(7n, 0).subarray(0, 6))).toThrow(RangeError);
});
