import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runGates } from '../../src/compile/gates/run.ts';
import { recompute } from '../../src/compile/rules/recompute.ts';
import { segmentTrajectory } from '../../src/compile/segment.ts';
import { openDataset } from '../../src/dataset/open.ts';
import type { Derivation, Evidence, QaType, Trajectory } from '../../src/records.ts';
import { lastJson, runCli } from '../support/cli.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import {
  countIn,
  countRows,
  digestOfTurns,
  killWhen,
  pairsOf,
  prepare,
  sessionsOfTable,
  settingsFor,
  trajectoriesOf,
} from './pipe.ts';

/** The whole pipe, in processes of its own, over a file of recorded rows. */
export function pipeSuite(name: string, file: () => string, personal?: () => string[]): void {
  describe(`the pipe over ${name}`, () => {
    let postgres: TestPostgres;
    let dir: string;
    let url: string;
    let env: Record<string, string>;
    let totals: Record<string, unknown>;

    beforeAll(async () => {
      postgres = await startPostgres();
      dir = mkdtempSync(join(tmpdir(), 'tc-e2e-'));
      url = await postgres.createDatabase();
      env = settingsFor(url, join(dir, 'first'));
      await prepare(env, file());
      totals = lastJson(await runCli(['run', '--until-idle', '--json'], { env }));
    }, 180_000);

    afterAll(async () => {
      await postgres?.stop();
      rmSync(dir, { recursive: true, force: true });
    });

    it('takes in every row and seals every session of ten turns or more', () => {
      const { rows, sessions, long } = countRows(file());
      expect(totals).toMatchObject({
        rows,
        sessions,
        open: 0,
        trajectories: long,
        belowMinTurns: sessions - long,
        parked: 0,
        costUsd: 0,
      });
    });

    if (personal !== undefined) {
      it('lets no personal value through that is known to stand in the rows', () => {
        const stored = JSON.stringify([trajectoriesOf(join(dir, 'first')), pairsOf(join(dir, 'first'))]);
        expect(personal().filter((value) => stored.includes(value))).toEqual([]);
      });
    }

    it('yields pairs from most trajectories, of all four types, and says why the rest have none', () => {
      const pairs = pairsOf(join(dir, 'first'));
      const { long } = countRows(file());
      const withPairs = new Set(pairs.map((pair) => pair.trajectory_id)).size;
      expect(withPairs).toBeGreaterThanOrEqual(Math.ceil(long * 0.6));
      expect(new Set(pairs.map((pair) => pair.qa_type))).toEqual(
        new Set(['factoid', 'reasoning', 'composition', 'temporal']),
      );
      const without = countIn(
        join(dir, 'first', 'qa_pairs.sqlite'),
        "SELECT count(*) FROM segments WHERE outcome = 'no_structure'",
      );
      expect(withPairs + without).toBe(long);
    });

    it('stores no pair that its gates would refuse', () => {
      const trajectories = new Map(trajectoriesOf(join(dir, 'first')).map((stored) => [stored.id, stored]));
      for (const pair of pairsOf(join(dir, 'first'))) {
        const stored = trajectories.get(String(pair.trajectory_id));
        const trajectory = { ...stored, spec: 'trajectory/1', agents: [], source: '' } as unknown as Trajectory;
        const [view] = segmentTrajectory(trajectory, { windowTokens: null });
        const evidence = JSON.parse(String(pair.evidence)) as Evidence[];
        const draft = {
          question: String(pair.question),
          answer: String(pair.answer),
          qaType: pair.qa_type as QaType,
          supportingTurns: JSON.parse(String(pair.supporting_turns)) as number[],
          evidence: evidence.map(({ turn, quote }) => ({ turn, quote })),
          derivation: JSON.parse(String(pair.derivation)) as Derivation,
          raw: '',
        };
        const { refused, passed } = runGates([draft], view!, { recompute });
        expect(refused, draft.question).toEqual([]);
        expect(passed).toHaveLength(1);
      }
    });

    it('leaves the dataset as it is when it runs again', async () => {
      const before = pairsOf(join(dir, 'first'));
      const again = lastJson(await runCli(['run', '--until-idle', '--json'], { env }));
      expect(again).toEqual(totals);
      expect(pairsOf(join(dir, 'first'))).toEqual(before);
    });

    it('finds the same trajectories, by id, when it reads the filled table from the beginning', async () => {
      const env = { ...settingsFor(url, join(dir, 'history')), TC_REDACT_MODE: 'off' };
      const result = lastJson(await runCli(['run', '--until-idle', '--json', '--from', 'beginning'], { env }));
      const { rows, sessions, trajectories, belowMinTurns } = totals;
      expect(result).toMatchObject({ rows, sessions, trajectories, belowMinTurns });
      const ids = (dataDir: string) => trajectoriesOf(join(dir, dataDir)).map(({ id }) => id);
      expect(ids('history')).toEqual(ids('first'));
    });

    it("keeps exactly its session's rows in each trajectory, in order and, where nothing is redacted, with their JSON text", async () => {
      const inTable = await sessionsOfTable(url);
      const stored = trajectoriesOf(join(dir, 'history'));
      expect(stored).toHaveLength(countRows(file()).long);
      for (const { sessionId, turns } of stored) expect(digestOfTurns(turns), sessionId).toBe(inTable.get(sessionId));
    });

    it('skips, in `compile` over the same table, what it has compiled', async () => {
      const all = String(countRows(file()).sessions);
      const { long } = countRows(file());
      const known = lastJson(await runCli(['compile', '--limit', all, '--json'], { env }));
      expect(known).toMatchObject({ total: long, known: long, compiled: 0, failed: {} });
    });

    it('compiles the same trajectories without a slot', async () => {
      const env = settingsFor(url, join(dir, 'compile'));
      const done = lastJson(await runCli(['compile', '--limit', '100000', '--json'], { env }));
      expect(done).toMatchObject({ compiled: countRows(file()).long, known: 0, failed: {} });
      const ids = (dataDir: string) => trajectoriesOf(join(dir, dataDir)).map(({ id }) => id);
      expect(ids('compile')).toEqual(ids('first'));
      const db = openDataset(join(dir, 'compile', 'qa_pairs.sqlite'));
      expect(db.prepare('SELECT count(*) FROM qa_pairs').pluck().get()).toBe(pairsOf(join(dir, 'first')).length);
      db.close();
    });

    it('ends with the same dataset when it is killed at several moments on the way', async () => {
      const other = await postgres.createDatabase();
      const dataDir = join(dir, 'killed');
      const env = { ...settingsFor(other, dataDir), TC_POSTGRES_SLOT: 'killed' };
      await prepare(env, file());
      const { rows, long } = countRows(file());
      const journalled = () => countIn(join(dataDir, 'journal.sqlite'), "SELECT n FROM counters WHERE name = 'rows'");
      const compiled = () => countIn(join(dataDir, 'calls.sqlite'), 'SELECT count(*) FROM segments');
      const stored = () => countIn(join(dataDir, 'qa_pairs.sqlite'), 'SELECT count(*) FROM trajectories');
      const kills = [
        await killWhen(env, () => journalled() > 0),
        await killWhen(env, () => journalled() > rows / 3),
        await killWhen(env, () => compiled() > 0),
        await killWhen(env, () => stored() > 0),
        await killWhen(env, () => compiled() > long / 2),
      ];
      expect(kills.filter((killed) => killed).length).toBeGreaterThanOrEqual(3);

      expect(lastJson(await runCli(['run', '--until-idle', '--json'], { env }))).toEqual(totals);
      const content = (dataDir: string) =>
        trajectoriesOf(dataDir).map(({ sessionId, part, turns }) => [sessionId, part, digestOfTurns(turns)]);
      expect(content(dataDir)).toEqual(content(join(dir, 'first')));
      const questions = (dataDir: string) => pairsOf(dataDir).map((pair) => [pair.session_id, pair.question]);
      expect(questions(dataDir)).toEqual(questions(join(dir, 'first')));
    }, 180_000);
  });
}
