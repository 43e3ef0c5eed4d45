/** The models of the scenario: Gemini's wire form over HTTP, answers by what a session is to become, and faults. */
import type { ServerResponse } from 'node:http';
import {
  answer,
  type GeminiServer,
  garbage,
  type ReceivedCall,
  rateLimited,
  type Script,
  startGeminiServer,
  status,
} from '../../support/gemini-server.ts';
import {
  answersTo,
  casesIn,
  isBlind,
  knows,
  lets,
  pairsIn,
  promptOf,
  type Reading,
  rulingsOn,
  type ShownCase,
} from '../../support/reader.ts';
import { pairAbout, parcelIn, refusedPairsAbout } from './parcels.ts';

const compileModel = 'gemini-3.5-flash-lite';

export async function startModels(): Promise<GeminiServer> {
  const server = await startGeminiServer();
  const asked = { compile: 0, patient: 0 };
  server.play((response, call) => {
    const prompt = promptOf(call);
    if (call.model !== compileModel) return verify(call)(response, call);
    asked.compile += 1;
    compile(prompt, asked)(response, call);
  });
  return server;
}

/** Of the attempts at one session: whoever is refused so often in a row gives up and waits. */
const patientAttempts = 4;

function compile(prompt: string, asked: { compile: number; patient: number }): Script {
  const parcel = parcelIn(prompt);
  if (parcel?.lane === 'patient' && asked.patient++ < patientAttempts)
    return rateLimited(asked.patient === patientAttempts ? '4s' : '0.1s');
  const fault = faultAt(asked.compile);
  if (fault !== null) return fault;
  if (parcel === null) return counted(JSON.stringify({ pairs: [] }));
  if (parcel.lane === 'parked') return status(400, { status: 'INVALID_ARGUMENT', message: 'not valid' });
  const pairs = parcel.lane === 'refused' ? refusedPairsAbout(parcel) : [pairAbout(parcel)];
  return counted(JSON.stringify({ pairs }));
}

/** Now and then a provider is busy, fails, or answers with a page of somebody else's. */
function faultAt(nth: number): Script | null {
  if (nth === 4) return garbage;
  if (nth % 7 === 2) return rateLimited('0.1s');
  return nth % 7 === 5 ? status(500, { status: 'INTERNAL' }) : null;
}

function verify(call: ReceivedCall): Script {
  const prompt = promptOf(call);
  if (!isBlind(call)) return judge(prompt);
  if (parcelIn(prompt)?.lane === 'unreadable') return counted('All of them can be answered.');
  return counted(answersTo(casesIn(prompt), read));
}

function read(shown: ShownCase): Reading {
  const parcel = parcelIn(shown.question)!;
  const { evidence, answer: told } = pairAbout(parcel);
  const quotes = evidence.map(({ quote }) => quote);
  const seen = quotes.filter((quote) => shown.turns.some((turn) => turn.includes(quote)));
  if (parcel.lane === 'easy' && seen.length > 0) return { quotes: seen, answerable: true, answer: told };
  return knows(quotes, told)(shown);
}

function judge(prompt: string): Script {
  return counted(
    rulingsOn(pairsIn(prompt), (pair) => lets(pair, { supported: parcelIn(pair.question)?.lane !== 'unsupported' })),
  );
}

/** With tokens of every kind, as many as texts of that length have. */
function counted(text: string): Script {
  return (response: ServerResponse, call: ReceivedCall) => {
    const promptTokenCount = 400 + Math.ceil(promptOf(call).length / 4);
    const usage = {
      promptTokenCount,
      cachedContentTokenCount: 256,
      candidatesTokenCount: 20 + Math.ceil(text.length / 4),
      thoughtsTokenCount: 40,
    };
    answer(text, { usage })(response, call);
  };
}
