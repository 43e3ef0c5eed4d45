/** What happens to the connections, the server and its walsender while a capture runs; each ends by itself. */
import type { Dice } from '../../src/demo/dice.ts';
import { pause } from '../../src/lifecycle.ts';
import type { TestPostgres } from '../../test/support/postgres.ts';
import type { TcpProxy } from '../../test/support/tcp-proxy.ts';
import { ask } from './capture-evidence.ts';

export interface Battlefield {
  server: TestPostgres;
  proxy: TcpProxy;
  slot: string;
  dice: Dice;
}

export const faults = {
  delay: {
    kind: 'proxy',
    strike: ({ proxy, dice }) =>
      during(
        () => proxy.delay(dice.int(50, 400)),
        1_000,
        () => proxy.delay(0),
      ),
  },
  cut: { kind: 'proxy', strike: async ({ proxy }) => proxy.cut() },
  halfOpen: { kind: 'proxy', strike: async ({ proxy }) => proxy.swallow('everything') },
  noAnswers: { kind: 'proxy', strike: async ({ proxy }) => proxy.swallow('answers') },
  held: {
    kind: 'proxy',
    strike: ({ proxy }) =>
      during(
        () => proxy.freeze('everything'),
        1_500,
        () => proxy.thaw(),
      ),
  },
  away: {
    kind: 'proxy',
    strike: ({ proxy }) =>
      during(
        () => proxy.refuse(),
        1_000,
        () => proxy.open(),
      ),
  },
  fast: { kind: 'restart', strike: ({ server }) => server.restart('fast') },
  immediate: { kind: 'restart', strike: ({ server }) => server.restart('immediate') },
  frozen: { kind: 'freeze', strike: freezeWalsender },
} satisfies Record<string, { kind: 'proxy' | 'restart' | 'freeze'; strike(field: Battlefield): Promise<void> }>;

export type FaultName = keyof typeof faults;
export const faultNames = Object.keys(faults) as FaultName[];

/** Those that are over at once, or change nothing for who comes next: a kill may follow at any moment. */
export const passingFaults: readonly FaultName[] = ['cut', 'halfOpen', 'noAnswers'];

async function during(begin: () => unknown, ms: number, end: () => unknown): Promise<void> {
  await begin();
  try {
    await pause(ms);
  } finally {
    await end();
  }
}

/** Longer than we wait for a byte, so that the next connection finds the slot in use. */
const frozenMs = 6_000;

async function freezeWalsender({ server, slot }: Battlefield): Promise<void> {
  const sql = `SELECT active_pid FROM pg_replication_slots WHERE slot_name = '${slot}'`;
  const pid = Number((await ask(server.adminUrl, sql))[0]?.active_pid);
  if (!(pid > 0)) return;
  await during(
    () => signal(pid, 'SIGSTOP'),
    frozenMs,
    () => signal(pid, 'SIGCONT'),
  );
}

/** A restart may have ended it. */
function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ESRCH') throw error;
  }
}
