/** Values to messages and back: inline, or, where they are large, as a claim that is redeemed at the source. */
import { park } from '../../errors.ts';
import type { Codec, Message } from '../topic.ts';
import { type Entry, headerNames } from './entry.ts';
import { type Packed, pack, unpack } from './envelope.ts';

export interface Claims<T> {
  /** What a value is found again by. */
  encode(value: T): Uint8Array;
  /** @throws OperatorError where it is gone, or no longer what was published. */
  redeem(bytes: Uint8Array, signal: AbortSignal): Promise<T>;
}

export interface ValueForm<T> {
  codec: Codec<T>;
  claims?: Claims<T>;
  /** Compressed bytes above which a value travels as a claim. */
  maxInlineBytes: number;
}

export async function packValue<T>({ id, value }: Message<T>, form: ValueForm<T>): Promise<Packed> {
  const { codec, claims, maxInlineBytes } = form;
  const inline = await pack({ id, bytes: codec.encode(value) });
  if (claims === undefined || inline.value.length <= maxInlineBytes) return inline;
  return await pack({ id, bytes: claims.encode(value), headers: { [headerNames.claim]: '1' } });
}

/** @throws OperatorError as `unpack`, the codec and the claims do. */
export async function unpackValue<T>(entry: Entry, { codec, claims }: ValueForm<T>, signal: AbortSignal): Promise<T> {
  const { bytes, headers } = await unpack(entry);
  if (headers[headerNames.claim] === undefined) return await codec.decode(bytes);
  if (claims !== undefined) return await claims.redeem(bytes, signal);
  throw park('claim_unexpected', `message ${entry.id} is a claim, which topic ${entry.topic} does not carry`);
}
