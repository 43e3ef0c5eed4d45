/** One door for each model: whoever asks the same one, to compile or to verify, shares its limits and its breaker. */
import type { GoogleGenAIOptions } from '@google/genai';
import type { Logger } from '../../log.ts';
import type { CallStore } from '../calls.ts';
import { shutdownWarning } from './capabilities.ts';
import { createDoor, type Door, type DoorOptions, type DoorStatus } from './door.ts';
import { createGemini, createVertex } from './gemini.ts';
import type { Model } from './model.ts';
import { createOpenAiCompatible } from './openai-compatible.ts';

export const modelProviders = ['gemini', 'vertex', 'openai-compatible'] as const;
export type ModelProvider = (typeof modelProviders)[number];

export interface ModelChoice {
  provider: ModelProvider;
  model: string;
}

export interface Connections {
  gemini?: { apiKey: string | null; baseUrl?: string | null };
  vertex?: {
    project: string | null;
    /** `global`, or a region such as `europe-west2`. */
    location: string;
    /** Another address that speaks the same protocol. */
    baseUrl?: string | null;
    /** In place of the credentials that Google's libraries find by themselves. */
    googleAuthOptions?: NonNullable<GoogleGenAIOptions['googleAuthOptions']>;
  };
  openai?: {
    baseUrl: string | null;
    apiKey: string | null;
    /** What an hour of the server costs; null: nothing where it is of this machine or its network, else by price. */
    usdPerHour: number | null;
  };
}

export interface DoorsOptions extends Omit<DoorOptions, 'model' | 'calls'> {
  connections: Connections;
  /** `flex` costs half and may take minutes. */
  serviceTier?: 'standard' | 'flex';
}

export interface Doors {
  /**
   * The door of a model; the same one for the same choice.
   *
   * @throws OperatorError (stop, exit code 3) where the settings lack what its provider needs: `model_key_missing`,
   * `model_project_missing`, `model_address_missing`.
   */
  open(choice: ModelChoice): Door;
  /** Of every door that is open. */
  status(): DoorStatus[];
}

export function createDoors(options: DoorsOptions, calls: CallStore, log: Logger): Doors {
  const { connections, serviceTier = 'standard', ...door } = options;
  const doors = new Map<string, Door>();

  function open(choice: ModelChoice): Door {
    const key = JSON.stringify([choice.provider, choice.model]);
    const known = doors.get(key);
    if (known !== undefined) return known;
    const model = modelOf(choice, connections, serviceTier);
    const warning = shutdownWarning(choice.model, new Date());
    if (warning !== null) log.warn(warning);
    const opened = createDoor({ ...door, model, calls });
    doors.set(key, opened);
    return opened;
  }
  return { open, status: () => [...doors.values()].map((each) => each.status()) };
}

function modelOf({ provider, model }: ModelChoice, connections: Connections, serviceTier: 'standard' | 'flex'): Model {
  const { gemini, vertex, openai } = connections;
  switch (provider) {
    case 'gemini':
      return createGemini({ apiKey: null, ...gemini, model, serviceTier });
    case 'vertex':
      return createVertex({ project: null, location: 'global', ...vertex, model, serviceTier });
    case 'openai-compatible':
      return createOpenAiCompatible({ baseUrl: null, apiKey: null, usdPerHour: null, ...openai, model });
    default: {
      const never: never = provider;
      return never;
    }
  }
}
