import { describe, expect, it } from 'vitest';
import { park, retry } from '../src/errors.ts';
import { createReadiness } from '../src/readiness.ts';

const unreachable = () => Promise.reject(retry('mirror_unreachable', 'cannot reach the mirror'));

describe('readiness', () => {
  it('names what failed last, and no longer once it works again', async () => {
    const readiness = createReadiness();
    expect(readiness.away()).toBeNull();
    await expect(readiness.attempt('the sink supabase', unreachable)).rejects.toThrow('cannot reach');
    expect(await readiness.attempt('the sink sqlite', () => Promise.resolve('written'))).toBe('written');
    expect(readiness.away()).toBe('the sink supabase is away: cannot reach the mirror');
    await readiness.attempt('the sink supabase', () => Promise.resolve());
    expect(readiness.away()).toBeNull();
  });

  it('takes one message that is refused for an answer', async () => {
    const readiness = createReadiness();
    await expect(readiness.attempt('the sink supabase', unreachable)).rejects.toThrow();
    const refuse = () => Promise.reject(park('row_refused', 'the mirror refuses the row'));
    await expect(readiness.attempt('the sink supabase', refuse)).rejects.toThrow('refuses');
    expect(readiness.away()).toBeNull();
  });

  it('takes nothing from an attempt that was broken off', async () => {
    const readiness = createReadiness();
    await expect(readiness.attempt('the sink supabase', unreachable, AbortSignal.abort())).rejects.toThrow();
    expect(readiness.away()).toBeNull();
  });
});
