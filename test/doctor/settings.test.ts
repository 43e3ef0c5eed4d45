import { expect, it } from 'vitest';
import { settingChecks } from '../../src/doctor/settings.ts';
import { faults, named, visitOf } from './looking.ts';

const look = (env: Record<string, string> = {}) => settingChecks(visitOf(env));
const cheap = { TC_COMPILE_TIER: 'cheap' };

it('the defaults are all right', () => {
  expect(faults(look())).toEqual([]);
  expect(named(look(), 'settings').sentence).toBe('every setting has its default');
  expect(named(look({ TC_DATA_DIR: '/x', TC_LOG_LEVEL: 'warn' }), 'settings').sentence).toContain(
    '2 from the environment',
  );
});

it('a key that the tier rules does not use is mentioned, and is no fault', () => {
  const check = named(look({ GEMINI_API_KEY: 'not-a-real-key' }), 'compile_tier');
  expect(check).toMatchObject({ outcome: 'ok', remedy: null });
  expect(check.sentence).toContain('not used');
  expect(check.sentence).not.toContain('not-a-real-key');
});

it.each([
  ['rows that leave as they are', { ...cheap, TC_REDACT_MODE: 'off' }, 'text_leaves', /TC_REDACT_MODE=on/],
  [
    'kinds that are kept',
    { ...cheap, TC_REDACT_POLICY: '{"IP":"keep"}' },
    'text_leaves',
    /^take IP out of redact\.policy/,
  ],
  ['pairs that nobody looks at', { ...cheap, TC_VERIFY_MODE: 'off' }, 'verify_mode', /TC_VERIFY_MODE=on/],
  [
    'the flex tier with little time',
    { ...cheap, TC_COMPILE_SERVICE_TIER: 'flex' },
    'service_tier',
    /^set compile\.timeout to 15m \(TC_COMPILE_TIMEOUT=15m\)$/,
  ],
  ['sessions that end while an agent waits', { TC_SESSION_IDLE_TIMEOUT: '5s' }, 'idle_timeout', /such as 10m$/],
  [
    'a pause that never decides',
    { TC_SESSION_IDLE_TIMEOUT: '2d' },
    'idle_timeout',
    /^set session\.idleTimeout below session\.maxAge$/,
  ],
])('%s are warned of, with what mends it', (_what, env, name, remedy) => {
  const check = named(look(env), name);
  expect(check.outcome).toBe('warning');
  expect(check.remedy).toMatch(remedy);
});

it('the flex tier is no gain with a model that does not have it', () => {
  const env = { ...cheap, TC_COMPILE_SERVICE_TIER: 'flex', TC_COMPILE_PROVIDER: 'openai-compatible' };
  const check = named(look({ ...env, TC_COMPILE_MODEL: 'llama3.3' }), 'service_tier');
  expect(check).toMatchObject({ outcome: 'warning' });
  expect(check.sentence).toContain('llama3.3 does not have');
  expect(named(look({ ...cheap, TC_COMPILE_SERVICE_TIER: 'flex', TC_COMPILE_TIMEOUT: '15m' }), 'service_tier')).toEqual(
    expect.objectContaining({ outcome: 'ok' }),
  );
});

it('what runs elsewhere is named, with what it must share', () => {
  expect(named(look({ TC_ROLES: 'capture' }), 'roles').sentence).toMatch(/compile and sink .* same dataDir/);
  const kafka = { TC_TOPICS_TRANSPORT: 'kafka', TC_KAFKA_BROKERS: '127.0.0.1:9' };
  expect(named(look({ ...kafka, TC_ROLES: 'sink' }), 'roles').sentence).toContain('same Kafka topics');
});

it('what reading the settings warns of is on the list', () => {
  expect(named(look({ TC_COMPIEL_TIER: 'cheap' }), 'settings_doubtful')).toMatchObject({
    outcome: 'warning',
    sentence: expect.stringContaining('TC_COMPIEL_TIER'),
  });
});
