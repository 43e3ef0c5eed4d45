/**
 * Every setting: schema, default, what is allowed, one sentence. The YAML file, the environment, flags and `config print`
 * all come from this one table.
 *
 * A setting `a.bC` is `a: {bC: …}` in YAML, `TC_A_B_C` in the environment (or `TC_A_B_C_FILE`, the name of a file that
 * holds it) and `--a-b-c` on the command line; flags win over the environment, the environment over the file.
 */
import { z } from 'zod';
import { kindNames } from './compile/redact/kinds.ts';
import { logLevels } from './log.ts';
import {
  dollars,
  duration,
  durationOrForever,
  list,
  listOf,
  oneOf,
  optionalText,
  optionalWhole,
  setting,
  size,
  structured,
  text,
  whole,
} from './setting-kinds.ts';

const columnTest = z.strictObject({ column: z.string().min(1), equals: z.string() });
export type ColumnTest = z.infer<typeof columnTest>;

const column = (fallback: string, what: string) => text(fallback, `Column of ${what}; - for none.`);

const priceSchema = z.record(
  z.string(),
  z.strictObject({ input: z.number().min(0), cached: z.number().min(0).optional(), output: z.number().min(0) }),
);

export const settings = {
  'postgres.url': optionalText('Connection string of the database that holds the audit log.', {
    secret: true,
    allowed: 'a connection string such as postgres://user@host:5432/database',
  }),
  'postgres.table': text('public.audit_log', 'The audit log: an append-only table, with or without its schema.'),
  'postgres.slot': setting({
    schema: z.string().regex(/^[a-z0-9_]{1,63}$/),
    fallback: 'trajectory_compiler',
    allowed: 'at most 63 lower-case letters, digits and underscores',
    sentence: 'Logical replication slot; one for each data directory.',
  }),
  'postgres.publication': text('trajectory_compiler', 'Publication of the audit log.'),
  'postgres.failoverSlot': oneOf(
    ['off', 'on'],
    'off',
    'Whether init makes a slot that a standby keeps a copy of (PostgreSQL 17 and later).',
  ),
  'columns.sessionId': text('session_id', "Column of the agent's session."),
  'columns.key': text('id', 'Column that names a row for ever: the primary key, or another unique one.'),
  'columns.agent': column('agent', "the agent's name"),
  'columns.tool': column('tool', "the tool's name"),
  'columns.arguments': column('arguments', "the call's arguments"),
  'columns.response': column('response', "the call's response"),
  'columns.cost': column('cost_usd', "the call's cost in US dollars"),
  'columns.duration': column('duration_ms', "the call's duration in milliseconds"),
  'columns.time': column('created_at', 'the time of the action, which orders the turns of a session'),
  'columns.metadata': structured(
    z.array(z.string().min(1)),
    [],
    'a list of column names',
    'Further columns that go along with each turn.',
  ),
  'capture.exclude': structured(
    z.array(columnTest),
    [],
    'a list of {column, equals}',
    'Rows that are left out, and counted: those that this system itself causes, for one.',
  ),
  'capture.shard': setting<{ index: number; count: number } | null>({
    schema: z
      .string()
      .regex(/^\d{1,3}\/\d{1,3}$/)
      .transform((value) => {
        const [index, count] = value.split('/').map(Number) as [number, number];
        return { index, count };
      })
      .refine(({ index, count }) => index < count)
      .nullable(),
    fallback: null,
    allowed: 'i/n, from 0/n to n-1/n',
    sentence:
      'This capture takes the i-th of n shares of the sessions; each has its own slot, publication and dataDir.',
    shortFlag: '--shard',
  }),
  'capture.digestKey': optionalText(
    'Key of the digests that reconcile compares rows by; without one a random key is made in dataDir.',
    { secret: true, allowed: 'at least 16 characters' },
  ),
  'capture.batchRows': whole(1000, 1, 'Rows in one transaction of the journal.', { max: 100_000 }),
  'capture.batchDelay': duration('200ms', 'How long a batch may wait to fill up.'),
  'capture.bufferBytes': size('32MiB', 'What may be read from Postgres and not yet be in the journal.'),
  'session.idleTimeout': duration('10m', 'A session without a row for this long, by commit times, has ended.'),
  'session.minTurns': whole(10, 2, 'Parts with fewer turns are held back until more turns join them.', {
    shortFlag: '--min-turns',
  }),
  'session.maxTurns': whole(2000, 2, 'A part ends before it has more turns than this.'),
  'session.maxBytes': size('16MiB', 'A part ends before it holds more text than this.'),
  'session.maxAge': duration('24h', 'A part ends before its rows span more than this.'),
  'session.retain': duration('7d', 'A part below minTurns to which nothing is added for this long is let go.'),
  'session.endMarker': structured(
    columnTest.nullable(),
    null,
    '{column, equals} or null',
    'A row that ends its session, told by one of its columns.',
  ),
  'session.endGrace': duration('5s', 'Rows committed this soon after the end marker still join the part.'),
  'compile.tier': oneOf(
    ['rules', 'cheap', 'strong'],
    'rules',
    'rules: no model, no key, no cost; cheap and strong: Gemini models.',
    { shortFlag: '--tier' },
  ),
  'compile.model': optionalText("A model in place of the tier's own."),
  'compile.concurrency': whole(4, 1, 'Trajectories in work at once.', { max: 1024 }),
  'compile.windowTokens': whole(24_000, 1000, 'A longer trajectory is compiled in windows of this many tokens.'),
  'compile.timeout': duration('2m', 'One attempt of a model call.'),
  'compile.serviceTier': oneOf(
    ['standard', 'flex'],
    'standard',
    'flex halves the price and may take minutes: raise compile.timeout to 15m; turned away twice, a call goes to the standard tier.',
  ),
  'compile.maxAttempts': whole(5, 1, 'Attempts for one trajectory before it becomes a dead letter.', { max: 100 }),
  'compile.provider': oneOf(
    ['gemini', 'vertex', 'openai-compatible'],
    'gemini',
    'Who serves the model of compile.tier: the Gemini API, Vertex AI, or a server that speaks the OpenAI protocol.',
  ),
  'compile.requestsPerMinute': optionalWhole(1, 'Calls of one model a minute at most, in this process.'),
  'compile.tokensPerMinute': optionalWhole(1, 'Tokens of one model a minute at most, in this process.'),
  'verify.mode': oneOf(
    ['on', 'off'],
    'on',
    'Whether another model looks at what compile.tier cheap or strong has written.',
  ),
  'verify.provider': setting<'gemini' | 'vertex' | 'openai-compatible' | null>({
    schema: z.enum(['gemini', 'vertex', 'openai-compatible']).nullable(),
    fallback: null,
    allowed: 'one of gemini, vertex, openai-compatible',
    sentence: 'Who serves verify.model; by default compile.provider.',
  }),
  'verify.model': optionalText("The model that verifies, in place of the tier's own; best of another family."),
  'coverage.first': whole(20, 1, 'Segments of one shape that a model compiles within coverage.window.'),
  'coverage.oneIn': whole(20, 1, 'Of the further ones of that shape, one in so many is compiled; 1 for all.'),
  'coverage.window': duration('7d', 'How far back segments of the same shape are counted.'),
  'budget.perCall': dollars(null, 'What one call of a model may cost; what would cost more is left out.'),
  'budget.perTrajectory': dollars(null, 'What one trajectory may cost; the rest of it is left out.'),
  'budget.perDay': dollars(null, 'What a day (UTC) may cost; run then waits for the next one.'),
  'budget.perMonth': dollars(null, 'What a month (UTC) may cost; run then waits for the next one.'),
  'budget.unpriced': oneOf(
    ['refuse', 'allow'],
    'refuse',
    'What is done under a cap with a model that has no price: refuse to start, or count it as nothing.',
  ),
  'budget.patience': duration('7d', 'A trajectory that waited for money this long is skipped, and counted.'),
  'budget.url': optionalText(
    'Connection string of a Postgres database that counts what several hosts spend; by default calls.url.',
    { secret: true, allowed: 'a connection string such as postgres://user@host:5432/database' },
  ),
  'gemini.apiKey': optionalText('Key of the Gemini API; GEMINI_API_KEY and GOOGLE_API_KEY are read too.', {
    secret: true,
  }),
  'gemini.baseUrl': optionalText('Another address for the Gemini API.', { allowed: 'a URL' }),
  'vertex.project': optionalText('Google Cloud project of Vertex AI; credentials are found as Google documents.'),
  'vertex.location': text('global', 'Location of Vertex AI, such as europe-west2.'),
  'openai.baseUrl': optionalText('Address of the server that speaks the OpenAI protocol.', {
    allowed: 'a URL such as http://127.0.0.1:11434/v1',
  }),
  'openai.apiKey': optionalText('Its key, where it asks for one.', { secret: true }),
  'openai.usdPerHour': dollars(
    null,
    'What an hour of it costs, counted for each call in flight; by default nothing for an address of this machine or its network, else by price.',
  ),
  prices: structured(
    priceSchema,
    {},
    'a table model: {input, cached, output} in US dollars per million tokens',
    'Prices that the built-in table lacks or has otherwise.',
  ),
  'redact.mode': oneOf(
    ['on', 'off'],
    'on',
    'Whether personal data and secrets are replaced before a model or a sink sees a text; off stores and sends it as it is.',
  ),
  'redact.policy': structured(
    z.partialRecord(z.enum(kindNames), z.enum(['mask', 'drop', 'keep'])),
    {},
    `mask, drop or keep for each kind, such as {"IP": "keep"}, of the kinds ${kindNames.join(', ')}`,
    'What becomes of a kind: mask (a placeholder with a number, the default), drop (one without), keep.',
  ),
  'redact.namesFile': optionalText("File of names and other terms to mask, one a line: the operator's own list.", {
    allowed: 'a file',
  }),
  'redact.key': optionalText(
    'Key of the hashes that tell values apart; without one a random key is made in dataDir. Workers of several hosts share one.',
    { secret: true, allowed: 'at least 16 characters' },
  ),
  'redact.vaultKey': optionalText(
    'Where it is set, masked values (never secrets) are kept encrypted, so that redact --restore can bring them back.',
    { secret: true, allowed: 'at least 16 characters' },
  ),
  roles: listOf(
    ['capture', 'compile', 'sink'],
    ['capture', 'compile', 'sink'],
    'Which parts of the pipe run in this process.',
    { shortFlag: '--role' },
  ),
  sinks: listOf(
    ['sqlite', 'supabase'],
    ['sqlite'],
    'Where the dataset is kept; each sink is a consumer group of its own.',
  ),
  'topics.transport': oneOf(
    ['embedded', 'kafka'],
    'embedded',
    'embedded: a file that the processes of this host share; kafka: a cluster, for parts on several hosts.',
  ),
  'kafka.brokers': list('broker addresses such as kafka-1:9092,kafka-2:9092', 'Addresses of the Kafka cluster.'),
  'kafka.clientId': text('trajectory-compiler', 'What this process is called in the logs and quotas of the brokers.'),
  'kafka.topicPrefix': setting({
    schema: z.string().regex(/^[a-zA-Z0-9._-]{0,100}$/),
    fallback: 'trajectory-compiler.',
    allowed: 'at most 100 letters, digits, dots, underscores and hyphens',
    sentence: 'Begins the names of all topics and consumer groups.',
  }),
  'kafka.partitions': whole(12, 1, 'Partitions of each topic; fixed once it is there.', { max: 10_000 }),
  'kafka.replicationFactor': whole(0, 0, "Replicas of topics that are created here; 0: the broker's default.", {
    max: 32,
  }),
  'kafka.maxInlineSize': size(
    '512KiB',
    'A trajectory that is larger, compressed, is left in the audit log, and read there by the worker.',
  ),
  'kafka.maxMessageSize': size('8MiB', 'The largest message; max.message.bytes of the topics.'),
  'kafka.retention': duration('30d', 'How long the cluster keeps trajectories.'),
  'kafka.compiledRetention': durationOrForever(
    null,
    'How long the cluster keeps what was compiled: how far back a new sink can be filled from there.',
  ),
  'kafka.tls': oneOf(['off', 'on'], 'off', 'Whether the connections to the brokers are encrypted.'),
  'kafka.tlsCa': optionalText('PEM file of the authority that signed the brokers.', { allowed: 'a file' }),
  'kafka.tlsCert': optionalText('PEM file of our own certificate, where the brokers ask for one.', {
    allowed: 'a file',
  }),
  'kafka.tlsKey': optionalText('PEM file of its key.', { allowed: 'a file' }),
  'kafka.saslMechanism': oneOf(
    ['none', 'plain', 'scram-sha-256', 'scram-sha-512'],
    'none',
    'How we tell the brokers who we are.',
  ),
  'kafka.saslUsername': optionalText('User at the brokers.'),
  'kafka.saslPassword': optionalText('Its password.', { secret: true }),
  'kafka.sendTimeout': duration('30s', 'How long one attempt to send a message may take.'),
  'kafka.sessionTimeout': duration('45s', 'A consumer that is not heard of for this long loses its partitions.'),
  'kafka.handoverTimeout': duration(
    '3m',
    'How long work in progress may hold a partition that another consumer is to take over; not less than compile.timeout.',
  ),
  'calls.url': optionalText(
    'Connection string of a Postgres database where compile workers of several hosts record what models answered.',
    { secret: true, allowed: 'a connection string such as postgres://user@host:5432/database' },
  ),
  'supabase.url': optionalText(
    'Address of the Supabase project; SUPABASE_URL and NEXT_PUBLIC_SUPABASE_URL are read too.',
    { allowed: 'a URL such as https://abcdefgh.supabase.co' },
  ),
  'supabase.key': optionalText(
    'Its secret key or service-role key; SUPABASE_SECRET_KEY and SUPABASE_SERVICE_ROLE_KEY are read too.',
    { secret: true },
  ),
  'supabase.databaseUrl': optionalText(
    'Connection string of the database of the mirror, which is then written directly and not through PostgREST.',
    { secret: true, allowed: 'a connection string such as postgres://user@host:5432/database' },
  ),
  'supabase.schema': text('public', 'Schema that holds the tables of the dataset.'),
  'metrics.host': text('127.0.0.1', 'Address of /metrics, /healthz and /readyz.'),
  'metrics.agentGroups': structured(
    z.array(z.strictObject({ group: z.string().min(1), agents: z.array(z.string().min(1)).min(1) })),
    [],
    'a list of {group, agents} where * in the name of an agent stands for any characters',
    'Under which name the agents are counted in metrics of cost; without it each under its own, up to fifty.',
  ),
  'metrics.port': whole(9464, 0, 'Port of /metrics, /healthz and /readyz; 0 for none.', { max: 65_535 }),
  dataDir: text('./data', 'Where journal, topics, model answers and the dataset lie.'),
  'log.level': oneOf(logLevels, 'info', 'How much is logged to stderr.'),
} as const;

export type SettingName = keyof typeof settings;
