/** Rows into an audit log, as `load` does it. */
import type { Config } from './config.ts';
import { type LoadOptions, type LoadResult, loadFile, prepareTable } from './load/load.ts';
import { clientConfig, explainPostgres, openClient } from './postgres/connection.ts';
import { tableSettings, urlOf } from './stages.ts';

export type LoadRequest = Omit<LoadOptions, 'client' | 'table'> & { create: boolean };

/** @throws OperatorError as {@link loadFile}, and where the server, table or permission is not there. */
export async function loadInto(config: Config, { create, ...load }: LoadRequest): Promise<LoadResult> {
  const url = urlOf(config);
  const client = await openClient(clientConfig(url, { purpose: 'load' }));
  try {
    const table = await prepareTable(client, tableSettings(config), create);
    return await loadFile({ ...load, client, table });
  } catch (error) {
    throw explainPostgres(error, url, 'load rows');
  } finally {
    await client.end();
  }
}
