/** What providers say of a model without being asked to work: nothing of this is billed. */
import { GoogleGenAI } from '@google/genai';
import { z } from 'zod';
import type { ModelChoice } from '../compile/models/doors.ts';
import { connectionFault } from '../compile/models/faults.ts';
import { geminiAddress, vertexAddress, withoutEnvironment } from '../compile/models/gemini.ts';
import { explainGemini, geminiApi, vertexApi } from '../compile/models/gemini-errors.ts';
import { Redirected } from '../compile/models/http-post.ts';
import { ModelFault } from '../compile/models/model.ts';
import { explainOpenAi } from '../compile/models/openai-errors.ts';
import type { Config } from '../config.ts';
import { exitCodes, stop } from '../errors.ts';

export interface ServedModel {
  /** Null where it is not told. */
  inputTokens: number | null;
  /** False where the provider says that it generates no text. */
  generates: boolean;
}

/** Where the calls of a provider go. @throws OperatorError `bad_settings` where the text is no URL. */
export function addressOf({ provider }: ModelChoice, config: Config): URL {
  switch (provider) {
    case 'gemini':
      return urlOf('gemini.baseUrl', config['gemini.baseUrl'] ?? geminiAddress);
    case 'vertex':
      return new URL(vertexAddress(config['vertex.location']));
    case 'openai-compatible':
      return urlOf('openai.baseUrl', config['openai.baseUrl'] ?? '');
    default: {
      const never: never = provider;
      return never;
    }
  }
}

function urlOf(setting: string, text: string): URL {
  if (/^https?:/.test(text) && URL.canParse(text)) return new URL(text);
  throw stop('bad_settings', `${setting} must be a URL that begins with http:// or https://`, {
    exitCode: exitCodes.configuration,
  });
}

/**
 * @returns null where the provider does not tell.
 * @throws ModelFault; the signal's reason where it fired.
 */
export async function readServedModel(
  choice: ModelChoice,
  config: Config,
  signal: AbortSignal,
): Promise<ServedModel | null> {
  if (choice.provider === 'openai-compatible') return await readListed(choice, config, signal);
  const address = addressOf(choice, config);
  const way = choice.provider === 'gemini' ? geminiApi : vertexApi;
  try {
    const { models } = clientOf(choice.provider, address, config);
    const { inputTokenLimit, supportedActions } = await models.get({
      model: choice.model,
      config: { abortSignal: signal },
    });
    return {
      inputTokens: inputTokenLimit ?? null,
      generates: supportedActions === undefined || supportedActions.includes('generateContent'),
    };
  } catch (error) {
    signal.throwIfAborted();
    throw explainGemini(error, choice.model, way, new Date());
  }
}

function clientOf(provider: 'gemini' | 'vertex', { href }: URL, config: Config): GoogleGenAI {
  const httpOptions = { baseUrl: href, retryOptions: { attempts: 1 }, fetch: withoutRedirects };
  if (provider === 'gemini') {
    return new GoogleGenAI({ apiKey: config['gemini.apiKey']?.trim() ?? '', vertexai: false, httpOptions });
  }
  const place = { project: config['vertex.project']?.trim() ?? '', location: config['vertex.location'] };
  return withoutEnvironment(() => new GoogleGenAI({ vertexai: true, ...place, httpOptions }));
}

/** A key goes to the address that was set, and nowhere else. */
const withoutRedirects: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, redirect: 'manual' });
  if (response.status >= 300 && response.status < 400) throw new Redirected(response.status);
  return response;
};

const listSchema = z.object({ data: z.array(z.object({ id: z.string() })) });
const namedModels = 8;

async function readListed({ model }: ModelChoice, config: Config, signal: AbortSignal): Promise<ServedModel | null> {
  const base = new URL(config['openai.baseUrl'] ?? '');
  const where = `the server at ${base.host}`;
  const ids = await readIds(base, config['openai.apiKey'], { where, model }, signal);
  if (ids === null) return null;
  // Ollama gives a tag to what is asked for without one.
  if (ids.includes(model) || ids.includes(`${model}:latest`)) return { inputTokens: null, generates: true };
  const others = ids.slice(0, namedModels).join(', ') + (ids.length > namedModels ? ', …' : '');
  const message = `${model} is not served at ${base.host}, which has ${others === '' ? 'none' : others}`;
  throw new ModelFault('not_served', message, { kind: 'stop', mayBeBilled: false });
}

/** Null where the server has no list. */
async function readIds(
  base: URL,
  apiKey: string | null,
  { where, model }: { where: string; model: string },
  signal: AbortSignal,
): Promise<string[] | null> {
  const address = new URL(base);
  address.pathname = `${base.pathname.replace(/\/+$/, '')}/models`;
  const key = apiKey?.trim();
  const headers = { 'user-agent': 'trajectory-compiler', ...(key ? { authorization: `Bearer ${key}` } : {}) };
  let answer: { status: number; headers: Headers; text: string };
  try {
    const response = await fetch(address, { headers, redirect: 'manual', signal });
    answer = { status: response.status, headers: response.headers, text: await response.text() };
  } catch (error) {
    signal.throwIfAborted();
    throw connectionFault(error, where);
  }
  if (answer.status === 404 || answer.status === 405) return null;
  if (answer.status !== 200) throw explainOpenAi(answer, { model, where, now: new Date() });
  return idsIn(answer.text);
}

function idsIn(text: string): string[] | null {
  try {
    return listSchema.parse(JSON.parse(text)).data.map(({ id }) => id);
  } catch {
    return null;
  }
}
