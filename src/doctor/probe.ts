/** One real question to each model, through the door that compiling uses: a fixed text, less than one US cent each. */
import { randomUUID } from 'node:crypto';
import { type Check, type Checklist, failure, ok, warning } from '../checks.ts';
import { type Budget, BudgetRefusal } from '../compile/budget/budget.ts';
import { billingOf } from '../compile/models/attempt.ts';
import type { Door } from '../compile/models/door.ts';
import type { ModelRequest } from '../compile/models/model.ts';
import { createBound, namesOf } from '../compile/models/prices.ts';
import type { Answer, Question } from '../compile/models/question.ts';
import { mostTokens } from '../compile/models/tokens.ts';
import { openSpending } from '../compiling/stores.ts';
import type { Config } from '../config.ts';
import { createLogger } from '../log.ts';
import { type AskedModel, nameOf, openDoor, openDoors } from './asked-models.ts';
import type { Visit } from './visit.ts';

const word = 'yes';
const question: ModelRequest = {
  system: 'You answer in one word.',
  prompt: 'Is this answer held to the schema that came with it?',
  schema: {
    type: 'object',
    properties: { answer: { type: 'string', enum: [word] } },
    required: ['answer'],
    additionalProperties: false,
  },
  maxOutputTokens: 64,
  maxThinkingTokens: 512,
};

/** US dollars: what may cost more is not asked. */
const mostUsd = 0.01;
const timeoutMs = 40_000;

export async function examineProbe(
  list: Checklist,
  models: readonly AskedModel[],
  { loaded, probe }: Visit,
  signal: AbortSignal,
): Promise<void> {
  const { config } = loaded;
  const priced = models.map((asked) => ({ asked, usd: boundOf(openDoor(config, asked.choice), config) }));
  const cheap = priced.filter(({ usd }) => usd !== null && usd <= mostUsd);
  for (const { asked, usd } of priced) if (usd === null || usd > mostUsd) list.add(tooDear(asked, usd, probe));
  if (cheap.length === 0) return;
  if (!probe) {
    const calls = cheap.map(({ asked, usd }) => `${asked.choice.model} (at most ${dollars(usd!)})`).join(' and ');
    list.add(ok('model_probe', `not asked: --probe sends one question to ${calls}`));
    return;
  }
  const budget = await list.attempt('budget', () => budgetOf(config));
  if (budget === null) return;
  try {
    for (const { asked } of cheap) await ask(list, asked, { config, budget: budget.counts }, signal);
  } finally {
    await budget.counts?.close();
  }
}

function boundOf({ model }: Door, { prices }: Config): number | null {
  const tokens = model.mostTokens?.(question) ?? mostTokens(question);
  const billing = billingOf(model);
  return createBound(prices)({ billing, models: namesOf(model.name), tokens, at: new Date(), timeoutMs });
}

function tooDear(asked: AskedModel, usd: number | null, probe: boolean): Check {
  const price = usd === null ? 'has no price' : `may cost up to ${dollars(usd)} for one question`;
  const sentence = `${nameOf(asked)} ${price}: --probe asks for less than ${dollars(mostUsd)} alone`;
  return probe ? warning('model_probe', sentence, null) : ok('model_probe', sentence);
}

/** Under a cap the question is counted like any other. */
async function budgetOf(config: Config): Promise<{ counts: Budget | null }> {
  const caps = [config['budget.perCall'], config['budget.perDay'], config['budget.perMonth']];
  if (caps.every((cap) => cap === null)) return { counts: null };
  return { counts: await openSpending(config, createLogger('silent'), {}) };
}

async function ask(
  list: Checklist,
  asked: AskedModel,
  { config, budget }: { config: Config; budget: Budget | null },
  signal: AbortSignal,
): Promise<void> {
  const door = openDoors(config, { budget, timeoutMs }).open(asked.choice);
  const id = `doctor ${randomUUID()}`;
  const stage = asked.stages[0]!;
  const about = { request: question, segmentId: id, trajectoryId: id, agent: null, stage, fresh: true };
  list.add(await list.attempt('model_probe', () => answered(door, asked, about, signal)));
}

/** A cap that is reached says nothing against the model. */
async function answered(door: Door, asked: AskedModel, about: Question, signal: AbortSignal): Promise<Check> {
  try {
    return answerCheck(asked, await door.ask(about, signal));
  } catch (error) {
    if (!(error instanceof BudgetRefusal)) throw error;
    return warning('model_probe', `${nameOf(asked)} was not asked: ${error.message}`, null);
  }
}

function answerCheck(asked: AskedModel, { reply, calls }: Answer): Check {
  const name = 'model_probe';
  const call = calls.at(-1)!;
  const out = (call.outputTokens ?? 0) + (call.thinkingTokens ?? 0);
  const cost = call.costUsd === null ? 'at an unknown price' : `for ${dollars(call.costUsd)}`;
  const said = `${nameOf(asked)} answered in ${call.durationMs} ms ${cost} (${call.promptTokens ?? '?'} tokens in, ${out} out)`;
  if (isHeld(reply.text)) return ok(name, `${said}, as the schema wants it`);
  if (reply.finishReason === 'MAX_TOKENS' || reply.finishReason === 'length') {
    return warning(name, `${said}, and thought for longer than this question allows`, null);
  }
  const remedy = 'use a server and a model that hold answers to a JSON schema';
  return failure(name, `${said}, but not as the schema wants it: its pairs would be rejected`, remedy);
}

function isHeld(text: string): boolean {
  try {
    return (JSON.parse(text) as { answer?: unknown } | null)?.answer === word;
  } catch {
    return false;
  }
}

const dollars = (usd: number) => `${usd === 0 ? '0' : usd.toFixed(usd < 0.001 ? 6 : 4)} USD`;
