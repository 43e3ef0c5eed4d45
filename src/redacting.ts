/** A look at what redaction makes of a text, and the way back: what `redact` does. */
import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { createDetect } from './compile/redact/detect.ts';
import { type Kind, kindNames, kinds } from './compile/redact/kinds.ts';
import { openRedactor, type TextRedactor } from './compile/redact/open-redactor.ts';
import { createMemoryPlaceholders } from './compile/redact/placeholders-sqlite.ts';
import { openRestore } from './compile/redact/restore.ts';
import { openPlaceholders, readNames } from './compiling/redaction.ts';
import type { Config } from './config.ts';
import { exitCodes, stop } from './errors.ts';
import { openInput } from './load/lines.ts';
import type { Logger } from './log.ts';

export interface FoundSpan {
  /** 1 for the first. */
  line: number;
  kind: Kind;
  /** UTF-16 units from the beginning of the input, `to` not included. */
  from: number;
  to: number;
  /** By its own form, wherever it stands. */
  certain: boolean;
}

export interface RedactedBlock {
  /** Whole lines, without the last line break. */
  text: string;
  spans: FoundSpan[];
}

export interface FoundKind {
  kind: Kind;
  what: string;
  count: number;
}

/** Kinds that were found, in the order of their list. */
export function kindsOf(counts: ReadonlyMap<Kind, number>): FoundKind[] {
  return kindNames.flatMap((kind) => {
    const count = counts.get(kind);
    return count === undefined ? [] : [{ kind, what: kinds[kind], count }];
  });
}

/** Input up to here is redacted as one text; of more, what gives a value away in one block is not known in the next. */
const blockBytes = 4 * 1024 * 1024;

const session = { source: 'redact', sessionId: 'redact' };

/**
 * The input redacted as the settings say, numbered in memory: nothing is stored, and the data directory is not touched.
 *
 * @throws OperatorError where the input or the list of names can't be read.
 */
export async function* redactInput(
  config: Config,
  source: string | Readable,
  signal: AbortSignal,
): AsyncGenerator<RedactedBlock> {
  const redactor = openLook(config);
  let offset = 0;
  let line = 1;
  for await (const block of blocksOf(source, signal)) {
    const { text, spans } = await redactor.redactText(session, block);
    yield { text, spans: placed(spans, block, offset, line) };
    offset += block.length + 1;
    line += lineBreaks(block, 0, block.length) + 1;
  }
}

function openLook(config: Config): TextRedactor {
  const names = readNames(config['redact.namesFile']);
  return openRedactor({
    detect: createDetect({ names }),
    policy: config['redact.policy'],
    key: randomBytes(32).toString('base64url'),
    placeholders: createMemoryPlaceholders(),
    vaultKey: null,
    names,
  });
}

function placed(
  spans: readonly Omit<FoundSpan, 'line'>[],
  block: string,
  offset: number,
  firstLine: number,
): FoundSpan[] {
  let line = firstLine;
  let counted = 0;
  return spans.map((span) => {
    line += lineBreaks(block, counted, span.from);
    counted = span.from;
    return { line, ...span, from: span.from + offset, to: span.to + offset };
  });
}

function lineBreaks(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at !== -1 && at < to; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

/** Whole lines, as many as make a block. */
async function* blocksOf(source: string | Readable, signal: AbortSignal): AsyncGenerator<string> {
  let lines: string[] = [];
  let size = 0;
  for await (const line of linesOf(source, signal)) {
    lines.push(line);
    size += line.length + 1;
    if (size < blockBytes) continue;
    yield lines.join('\n');
    lines = [];
    size = 0;
  }
  if (lines.length > 0) yield lines.join('\n');
}

async function* linesOf(source: string | Readable, signal: AbortSignal): AsyncGenerator<string> {
  const input = await openInput(source, signal);
  try {
    for await (const { number, bytes } of input.lines()) {
      if (bytes === null)
        throw stop('line_too_long', `line ${number} of ${input.name} is longer than 64 MiB: cut the input into lines`);
      yield bytes.toString('utf8');
    }
  } catch (error) {
    // The input was closed under its reader: nothing is wrong with it.
    if (!signal.aborted) throw error;
    throw stop('stopped', `stopped before the end of ${input.name}`, { exitCode: exitCodes.partial });
  }
}

export interface RestoreRequest {
  sessionId: string;
  /** Where more than one audit log has a session of that id; else null. */
  source: string | null;
}

/**
 * The input, line by line, with the values of a session in the place of their placeholders.
 *
 * @throws OperatorError `vault_key_missing`, `vault_key`, `vault_empty`, `vault_source`.
 */
export async function* restoreInput(
  config: Config,
  log: Logger,
  request: RestoreRequest,
  input: string | Readable,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const vaultKey = config['redact.vaultKey'];
  if (vaultKey === null)
    throw refuse(
      'vault_key_missing',
      'set redact.vaultKey (TC_REDACT_VAULT_KEY) to the key that the values were kept under',
    );
  const placeholders = await openPlaceholders(config, log);
  try {
    const { sessionId } = request;
    const source = request.source ?? onlySource(await placeholders.sources(sessionId), sessionId);
    const { restore, values } = await openRestore(placeholders, { source, sessionId }, vaultKey);
    if (values === 0) throw emptyVault(sessionId);
    for await (const line of linesOf(input, signal)) yield restore(line);
  } finally {
    await placeholders.close();
  }
}

function onlySource(sources: readonly string[], sessionId: string): string {
  const [only, ...more] = sources;
  if (only === undefined) throw emptyVault(sessionId);
  if (more.length === 0) return only;
  throw refuse(
    'vault_source',
    `several audit logs have a session ${sessionId}: give --source, one of ${sources.join(', ')}`,
  );
}

function emptyVault(sessionId: string) {
  return refuse(
    'vault_empty',
    `the vault holds nothing of session ${sessionId}: values are kept from the moment on that redact.vaultKey is set, secrets never; check --session and dataDir`,
  );
}

const refuse = (code: string, message: string) => stop(code, message, { exitCode: exitCodes.configuration });
