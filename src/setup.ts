/** What `init` and `teardown` do on the server. */
import type { Config } from './config.ts';
import { createTableSql, describeTable } from './postgres/audit-table.ts';
import { clientConfig, explainPostgres, openClient } from './postgres/connection.ts';
import { captureSettings, tableSettings, urlOf } from './stages.ts';
import { createCapture, dropCapture } from './stream/slot.ts';

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
  const capture = await createCapture(captureSettings(config));
  return { created: [...created, ...capture.created], rowsBefore: await countRows(config) };
}

export async function tearDown(config: Config): Promise<{ dropped: string[] }> {
  return await dropCapture(captureSettings(config));
}

async function createAuditTable(config: Config): Promise<string[]> {
  const url = urlOf(config);
  const table = config['postgres.table'];
  const client = await openClient(clientConfig(url, { purpose: 'init' }));
  try {
    const { rows } = await client.query('SELECT to_regclass($1) IS NOT NULL AS there', [table]);
    if (rows[0]?.there === 't') return [];
    for (const statement of createTableSql(tableSettings(config))) await client.query(statement);
    return [`table ${table}`];
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
    const { sql } = await describeTable(client, tableSettings(config));
    const { rows } = await client.query(`SELECT count(*) AS n FROM ${sql}`);
    return Number(rows[0]?.n);
  } catch (error) {
    if ((error as { code?: string }).code === '57014') return null;
    throw explainPostgres(error, url, 'count the rows of the audit log');
  } finally {
    await client.end();
  }
}
