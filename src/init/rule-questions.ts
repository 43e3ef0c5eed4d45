/** Asks how sessions end, what is masked, who compiles for how much money, and where the dataset goes. */
import { existsSync } from 'node:fs';
import type { LoadedConfig } from '../config.ts';
import { durationMs } from '../setting-kinds.ts';
import type { SettingName } from '../settings.ts';
import type { Ask, Choice } from './ask.ts';
import { complaintOf, type Given, textOf } from './given-settings.ts';
import { partsBy, partsText, type SessionRow } from './session-preview.ts';

/** @param rows the newest of the table; null where they could not be read. */
export async function askRules(ask: Ask, loaded: LoadedConfig, rows: readonly SessionRow[] | null): Promise<Given> {
  return {
    ...(await askSessions(ask, loaded, rows)),
    ...(await askPlain(ask, loaded, 'dataDir', 'Folder for the journal, the topics and the dataset')),
    ...(await askRedaction(ask, loaded)),
    ...(await askTier(ask, loaded)),
    ...(await askSinks(ask, loaded)),
    ...(await askPlain(ask, loaded, 'metrics.port', 'Port of /metrics and /healthz (0 for none)')),
  };
}

async function askPlain(ask: Ask, loaded: LoadedConfig, name: SettingName, message: string): Promise<Given> {
  const refuse = (answer: string) => complaintOf(name, answer);
  return { [name]: await ask.text({ message, initial: textOf(name, loaded), refuse }) };
}

const usualTimeouts = ['2m', '10m', '30m', '2h'];

async function askSessions(ask: Ask, loaded: LoadedConfig, rows: readonly SessionRow[] | null): Promise<Given> {
  const minTurns = loaded.config['session.minTurns'];
  const now = textOf('session.idleTimeout', loaded);
  const known = rows !== null && rows.length > 0;
  if (known) ask.tell(`behind each stands what the newest ${rows.length.toLocaleString('en')} rows would become`);
  const would = (timeout: string, turns: number) =>
    known ? `${timeout}: ${partsText(partsBy(rows, durationMs(timeout) ?? 0), turns)}` : timeout;
  const timeouts = [...new Set([now, ...usualTimeouts])].toSorted(
    (a, b) => (durationMs(a) ?? 0) - (durationMs(b) ?? 0),
  );
  const choices: Choice<string>[] = timeouts.map((value) => ({ value, label: would(value, minTurns) }));
  const chosen = await ask.choose(
    'After how long without a row has a session ended?',
    [...choices, { value: '', label: 'another time' }],
    now,
  );
  const other = {
    message: 'Such as 90s, 15m or 1h',
    refuse: (text: string) => complaintOf('session.idleTimeout', text),
  };
  const idleTimeout = chosen === '' ? await ask.text(other) : chosen;
  return {
    'session.idleTimeout': idleTimeout,
    'session.minTurns': await askMinTurns(ask, loaded, known ? partsBy(rows, durationMs(idleTimeout) ?? 0) : null),
  };
}

async function askMinTurns(ask: Ask, loaded: LoadedConfig, parts: number[] | null): Promise<string> {
  const { 'session.minTurns': usual, 'session.maxTurns': most } = loaded.config;
  if (parts !== null) {
    const lines = [...new Set([3, 5, usual, 20])].toSorted((a, b) => a - b).map((turns) => partsText(parts, turns));
    ask.show('Turns', lines.join('\n'));
  }
  return await ask.text({
    message: 'How many turns must it have at least? (shorter ones wait for more)',
    initial: String(usual),
    refuse: (text) =>
      complaintOf('session.minTurns', text) ??
      (Number(text) > most ? `it must not be more than session.maxTurns, ${most}` : undefined),
  });
}

async function askRedaction(ask: Ask, loaded: LoadedConfig): Promise<Given> {
  const on = await ask.confirm('Mask personal data and secrets before a model or the dataset sees a text?');
  if (!on) return { 'redact.mode': 'off' };
  const file = await ask.text({
    message: 'A file of names to mask too, one a line (empty for none)',
    initial: textOf('redact.namesFile', loaded),
    refuse: (text) => (text === '' || existsSync(text) ? undefined : `there is no file ${text}`),
  });
  return file === '' ? { 'redact.mode': 'on' } : { 'redact.mode': 'on', 'redact.namesFile': file };
}

async function askTier(ask: Ask, loaded: LoadedConfig): Promise<Given> {
  const tier = await ask.choose(
    'Who writes questions and answers?',
    [
      { value: 'rules', label: 'rules: no model, no key, no cost' },
      { value: 'cheap', label: 'a cheap model of Gemini: it needs a key, and costs money' },
      { value: 'strong', label: 'a strong one, which costs more' },
    ],
    loaded.config['compile.tier'] as string,
  );
  if (tier === 'rules') return { 'compile.tier': tier };
  ask.tell(
    loaded.config['gemini.apiKey'] === null
      ? 'the key belongs into the environment: GEMINI_API_KEY, or a file that TC_GEMINI_API_KEY_FILE names'
      : 'the key is known from the environment',
  );
  ask.tell('`trajectory-compiler estimate` says what your log would cost before anything is spent');
  const budget = await ask.text({
    message: 'What may a day cost, in US dollars? (empty for no limit)',
    initial: textOf('budget.perDay', loaded) || '5',
    refuse: (text) => (text === '' ? undefined : complaintOf('budget.perDay', text)),
  });
  return { 'compile.tier': tier, ...(budget === '' ? {} : { 'budget.perDay': budget }) };
}

async function askSinks(ask: Ask, loaded: LoadedConfig): Promise<Given> {
  const sinks = await ask.choose(
    'Where is the dataset kept?',
    [
      { value: 'sqlite', label: 'a SQLite file', hint: 'qa_pairs.sqlite in that folder' },
      { value: 'sqlite,supabase', label: 'the file, and a Supabase project' },
      { value: 'supabase', label: 'a Supabase project alone' },
    ],
    loaded.config.sinks.toSorted().join(','),
  );
  if (sinks === 'sqlite') return { sinks };
  const url = await ask.text({
    message: 'Address of the project',
    placeholder: 'https://abcdefgh.supabase.co',
    initial: textOf('supabase.url', loaded),
    refuse: (text) =>
      /^https?:\/\/[^/\s]+/.test(text) ? undefined : 'an address such as https://abcdefgh.supabase.co',
  });
  ask.tell('its key belongs into the environment: SUPABASE_SECRET_KEY, or a file that TC_SUPABASE_KEY_FILE names');
  ask.tell('`trajectory-compiler migrate` makes its tables');
  return { sinks, 'supabase.url': url };
}
