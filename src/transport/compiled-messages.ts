/** A compiled trajectory as messages: one, or where messages have a limit, its turns in several ahead of the rest. */
import {
  type Compiled,
  type CompiledTurns,
  compiledSchema,
  compiledTurnsSchema,
  compilerKey,
  type Turn,
} from '../records.ts';
import { jsonCodec } from '../topic/codec.ts';
import type { Codec, Message } from '../topic/topic.ts';
import type { CompiledMessage } from './transport.ts';

/** A known result keeps its time, so a redelivered trajectory gives the same message again. */
const idOf = ({ trajectory, compiler, compiledAt }: Compiled) =>
  [trajectory.id, compilerKey(compiler), compiledAt].join(' ');

export function wholeMessage(compiled: Compiled): Message<CompiledMessage> {
  return { id: idOf(compiled), key: compiled.trajectory.sessionId, value: compiled };
}

/**
 * Messages whose JSON is below `maxBytes`, as far as single turns allow; in the order in which they are to be published.
 * Compressed they are far smaller, but what does not compress must fit too.
 */
export function messagesOf(compiled: Compiled, maxBytes: number): Message<CompiledMessage>[] {
  const { trajectory, compiler, compiledAt } = compiled;
  const { id: trajectoryId, sessionId, turns } = trajectory;
  if (bytesOf(compiled) <= maxBytes) return [wholeMessage(compiled)];
  const id = idOf(compiled);
  const pieces = piecesOf(turns, maxBytes).map((piece): Message<CompiledMessage> => {
    const value: CompiledTurns = {
      spec: 'compiled_turns/1',
      trajectoryId,
      sessionId,
      compiler,
      compiledAt,
      ...piece,
    };
    return { id: `${id} turns ${piece.first}`, key: sessionId, value };
  });
  const rest: Compiled = { ...compiled, trajectory: { ...trajectory, turns: [] }, turnsApart: turns.length };
  return [...pieces, { id, key: sessionId, value: rest }];
}

function piecesOf(turns: readonly Turn[], maxBytes: number): { first: number; turns: Turn[] }[] {
  const pieces: { first: number; turns: Turn[] }[] = [];
  let room = 0;
  for (const [index, turn] of turns.entries()) {
    const bytes = bytesOf(turn);
    if (bytes > room || pieces.length === 0) {
      pieces.push({ first: index, turns: [] });
      room = maxBytes;
    }
    pieces.at(-1)!.turns.push(turn);
    room -= bytes;
  }
  return pieces;
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

export const compiledCodec: Codec<CompiledMessage> = eitherCodec(
  jsonCodec(compiledSchema, 'compiled/1'),
  jsonCodec(compiledTurnsSchema, 'compiled_turns/1'),
);

function eitherCodec(whole: Codec<Compiled>, pieces: Codec<CompiledTurns>): Codec<CompiledMessage> {
  return {
    encode: (value) => (value.spec === 'compiled/1' ? whole.encode(value) : pieces.encode(value)),
    decode: (bytes) => (isPiece(bytes) ? pieces : whole).decode(bytes),
  };
}

/** Both are written with their `spec` first, so the megabytes behind it need not be parsed twice. */
const isPiece = (bytes: Uint8Array) =>
  Buffer.from(bytes.subarray(0, 40)).toString('latin1').startsWith('{"spec":"compiled_turns/');
