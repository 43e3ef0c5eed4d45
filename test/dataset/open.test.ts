import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataset, openDatasetIfPresent } from '../../src/dataset/open.ts';
import { datasetStats } from '../../src/dataset/stats.ts';
import { createLogger } from '../../src/log.ts';
import { openSqliteSink } from '../../src/sinks/sqlite.ts';
import { compiledOf } from '../support/records.ts';

describe('opening the dataset', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dataset-'));
    path = join(folder, 'qa_pairs.sqlite');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('says what to run where there is none, and creates nothing', () => {
    expect(() => openDataset(path)).toThrow(
      `no dataset at ${path}: run \`trajectory-compiler run\` or \`trajectory-compiler compile\` first`,
    );
    expect(openDatasetIfPresent(path)).toBeNull();
    expect(existsSync(path)).toBe(false);
  });

  it('reads a file of the published shape, which has neither calls nor trajectories', () => {
    const db = new Database(path);
    db.exec(`CREATE TABLE qa_pairs (id INTEGER PRIMARY KEY, session_id TEXT, agent TEXT, turn_count INTEGER,
      question TEXT, answer TEXT, supporting_turns TEXT, qa_type TEXT, source_model TEXT, cost_usd REAL,
      raw_extraction TEXT, created_at TEXT);
      INSERT INTO qa_pairs (session_id, agent, cost_usd) VALUES ('early', 'caller', 0.002), ('early', 'caller', NULL)`);
    db.close();
    const dataset = openDataset(path);
    expect(datasetStats(dataset)).toMatchObject({
      pairs: 2,
      sessions: 1,
      agents: ['caller'],
      pairsByVerification: { unverified: 2 },
      costUsd: 0.002,
      unknownCosts: 1,
    });
    dataset.close();
  });

  it('cannot write, and sees what a sink writes meanwhile', async () => {
    const sink = openSqliteSink({ path, log: createLogger('silent') });
    const dataset = openDataset(path);
    expect(() => dataset.exec('DELETE FROM qa_pairs')).toThrow(/readonly/);
    await sink.write(compiledOf(), new AbortController().signal);
    expect(datasetStats(dataset).pairs).toBe(1);
    dataset.close();
    await sink.close();
  });
});
