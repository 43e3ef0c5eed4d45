/**
 * The model server of bench/compile.ts, in a process of its own: answers each call after a while, a slow one later.
 *
 *     node --import tsx bench/model-server.ts ANSWER_MS [SLOW_MS]
 *
 * Tells its parent `{ baseUrl }` once it listens, and `{ calls }` whenever the parent says anything.
 */
import { pause } from '../src/lifecycle.ts';
import { answer, startGeminiServer } from '../test/support/gemini-server.ts';

const [answerMs, slowMs] = process.argv.slice(2).map(Number) as [number, number | undefined];
const server = await startGeminiServer();
const reply = answer(JSON.stringify({ pairs: [] }));
let first = true;
server.play((response, call) => {
  const waitMs = first && slowMs !== undefined ? slowMs : answerMs;
  first = false;
  void pause(waitMs).then(() => reply(response, call));
});
process.on('message', () => process.send?.({ calls: server.received.length }));
process.on('disconnect', () => process.exit());
process.send?.({ baseUrl: server.baseUrl });
