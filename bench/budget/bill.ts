/** A model server that writes a bill of its own, by its price list: what it bills is what the budget must have counted. */
import type { ServerResponse } from 'node:http';
import { pause } from '../../src/lifecycle.ts';
import { answer, type GeminiServer, type ReceivedCall, startGeminiServer } from '../../test/support/gemini-server.ts';

export const billedModel = 'gemini-3.5-flash-lite';
/** US dollars a token. */
const price = { input: 0.3e-6, output: 2.5e-6 };

export interface BillingServer {
  readonly server: GeminiServer;
  /** US dollars of all calls that it took, whether or not its answer arrived. */
  billedUsd(): number;
  /** Calls that it began to answer, and of them those whose answer was cut off. */
  taken(): number;
  cutOff(): number;
}

/** Answers after `answerMs`; cuts off every `cutEvery`-th answer, which it bills all the same. */
export async function startBillingServer(answerMs: number, cutEvery: number): Promise<BillingServer> {
  const server = await startGeminiServer();
  const nothing = JSON.stringify({ pairs: [] });
  let billedUsd = 0;
  let taken = 0;
  let cutOff = 0;
  server.play((response: ServerResponse, call: ReceivedCall) => {
    taken += 1;
    const usage = usageOf(call, taken);
    billedUsd += usage.promptTokenCount * price.input + usage.candidatesTokenCount * price.output;
    const isCut = taken % cutEvery === 0;
    if (isCut) cutOff += 1;
    const finish = isCut ? () => cut(response) : () => answer(nothing, { usage })(response, call);
    void pause(answerMs).then(finish);
  });
  return { server, billedUsd: () => billedUsd, taken: () => taken, cutOff: () => cutOff };
}

function cut(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' }).write('{"candidates": [');
  response.socket?.destroy();
}

/** Some calls cost a tenth of others, and none more than what was asked of the budget: a token has a byte at least. */
function usageOf({ body }: ReceivedCall, nth: number): Record<'promptTokenCount' | 'candidatesTokenCount', number> {
  const bytes = Buffer.byteLength(JSON.stringify(body.contents[0]?.parts[0]?.text ?? ''));
  const promptTokenCount = Math.floor((bytes * (20 + ((nth * 7) % 15))) / 100);
  return { promptTokenCount, candidatesTokenCount: 300 + ((nth * 997) % 3_700) };
}
