import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Model {
  baseUrl: string;
  calls(): Promise<number>;
  stop(): void;
}

const path = fileURLToPath(new URL('../model-server.ts', import.meta.url));

/** A model that answers after `answerMs`, the first call after `slowMs` where that is given. */
export async function startModel(answerMs: number, slowMs?: number): Promise<Model> {
  const args = [answerMs, ...(slowMs === undefined ? [] : [slowMs])].map(String);
  const child = fork(path, args, { execArgv: ['--import', import.meta.resolve('tsx')] });
  const { baseUrl } = await told<{ baseUrl: string }>(child);
  return {
    baseUrl,
    calls: async () => {
      const answered = told<{ calls: number }>(child);
      child.send('calls');
      return (await answered).calls;
    },
    stop: () => child.disconnect(),
  };
}

async function told<T>(child: ChildProcess): Promise<T> {
  const [message] = await once(child, 'message');
  return message as T;
}
