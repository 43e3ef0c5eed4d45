/** What `init` and `teardown` do on the server. */
import type { Config } from './config.ts';
import { codeOf, exitCodes, messageOf, stop } from './errors.ts';
import { createMissingTable, describeTable } from './postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient } from './postgres/connection.ts';
import { captureSettings, tableSettings, urlOf } from './stages.ts';
import { createCapture, dropCapture, initSql } from './stream/provision.ts';
import { shardCondition } from './stream/shard.ts';

export interface InitResult {
  /** What was created, in words; empty where everything was there. */
  created: string[];
  /** Rows that were in the table before the slot; null where counting took too long. */
  rowsBefore: number | null;
}

const countTimeoutMs = 5000;

/** @throws OperatorError that names what is missing, and the statement or setting that mends it. */
export async function initialise(config: Config, { createTable }: { createTable: boolean }): Promise<InitResult> {
  const created = createTable ? await createAuditTable(config) : [];
  const capture = await createCapture(captureSettings(config)).catch(async (error: unknown) => {
    throw await withStatements(error, config);
  });
  return { created: [...created, ...capture.created], rowsBefore: await countRows(config) };
}

/** A role that may read and replicate may still not create a publication: the table's owner does it once. */
async function withStatements(error: unknown, config: Config): Promise<unknown> {
  if (codeOf(error) !== 'source_permission') return error;
  const settings = captureSettings(config);
  const client = await openClient(clientConfig(settings.url, { purpose: 'init' }));
  try {
    const table = await describeTable(client, settings);
    const { rows } = await client.query("SELECT current_setting('server_version_num') AS version");
    const { publication, slot } = initSql(table, settings, Number(rows[0]?.version));
    return stop(
      codeOf(error),
      `${messageOf(error)}. The owner of the table can run init instead, or these statements in this order, without those whose object is there:\n${[publication, slot].map((sql) => `  ${sql};`).join('\n')}`,
      { exitCode: exitCodes.configuration, cause: error },
    );
  } catch {
    return error;
  } finally {
    await client.end();
  }
}

export async function tearDown(config: Config): Promise<{ dropped: string[] }> {
  return await dropCapture(captureSettings(config));
}

async function createAuditTable(config: Config): Promise<string[]> {
  const url = urlOf(config);
  const table = config['postgres.table'];
  const client = await openClient(clientConfig(url, { purpose: 'init' }));
  try {
    return (await createMissingTable(client, tableSettings(config))) ? [`table ${table}`] : [];
  } catch (error) {
    throw explainPostgres(error, url, `create table ${table}`);
  } finally {
    await client.end();
  }
}

async function countRows(config: Config): Promise<number | null> {
  const url = urlOf(config);
  const client = await openClient(
    clientConfig(url, { purpose: 'init', settings: { statement_timeout: `${countTimeoutMs}` } }),
  );
  try {
    const table = await describeTable(client, tableSettings(config));
    const shard = config['capture.shard'];
    const where = shard === null ? '' : ` WHERE ${shardCondition(table, shard)}`;
    const { rows } = await client.query(`SELECT count(*) AS n FROM ${table.sql}${where}`);
    return Number(rows[0]?.n);
  } catch (error) {
    if ((error as { code?: string }).code === '57014') return null;
    throw explainPostgres(error, url, 'count the rows of the audit log');
  } finally {
    await client.end();
  }
}
