import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { renderSample } from '../../src/dataset/render-sample.ts';
import { sampleExported, samplePairs } from '../../src/dataset/sample.ts';
import { terminalOf } from '../../src/dataset/terminal.ts';
import type { Compiled, QaPair, Turn } from '../../src/records.ts';
import type { SqliteDatabase } from '../../src/sqlite.ts';
import { apartOf, compiledOf, pairOf, segmentOf, trajectoryOf, turnOf } from '../support/records.ts';
import { withDataset } from './dataset.ts';

const plain = terminalOf({ columns: 80 }, undefined);

function message(sessionId: string, pair: Partial<QaPair> = {}, turns: Partial<Turn>[] = []): Compiled {
  const trajectory = trajectoryOf({
    sessionId,
    turns: Array.from({ length: 12 }, (_, index) => turnOf(sessionId, index, turns[index])),
  });
  const segment = segmentOf(trajectory);
  return compiledOf({ trajectory, segments: [segment], pairs: [pairOf(trajectory, segment, pair)] });
}

const quoting = (quote: string) => ({ evidence: [{ turn: 2, rowKey: 's:2', quote, offset: 0 }] });

const hostileMarks = ['\u0007', '\u009b', '\u202e', '\u001b[2J', '\u001b]'];

describe('a sample of pairs', () => {
  it('comes with the supporting turns as their rows hold them', () =>
    withDataset([message('s', {}, [{}, {}, { response: '{"weight": 9007199254740993, "rate": 1.10}' }])], (db) => {
      expect(samplePairs(db, { limit: 5 })).toMatchObject([
        {
          sessionId: 's',
          answer: '38',
          supportingTurns: [
            {
              turn: 2,
              rowKey: 's:2',
              tool: 'move_message',
              response: '{"weight": 9007199254740993, "rate": 1.10}',
              quotes: ['Delivery note 2'],
            },
            { turn: 5, quotes: [] },
          ],
        },
      ]);
    }));

  it('says of a supporting turn that is still to arrive that it is not there, and shows the others', () => {
    const sent = apartOf(message('s', quoting('Delivery note 2')), 1).toSpliced(2, 1);
    return withDataset(sent, (db) => {
      const [pair] = samplePairs(db, { limit: 5 });
      expect(pair!.supportingTurns.map(({ turn, rowKey }) => [turn, rowKey])).toEqual([
        [2, null],
        [5, 's:5'],
      ]);
      expect(renderSample([pair!], plain)).toContain('the turn is not in the dataset');
    });
  });

  it('is limited, narrowed, and the same for the same seed', () => {
    const sessions = Array.from({ length: 20 }, (_, n) => `s${n}`);
    const messages = sessions.map((id, n) => message(id, { qaType: n % 2 === 0 ? 'factoid' : 'temporal', agent: id }));
    return withDataset(messages, (db) => {
      const drawn = (seed?: number) =>
        samplePairs(db, { limit: 6, ...(seed === undefined ? {} : { seed }) }).map((it) => it.sessionId);
      expect(drawn()).toHaveLength(6);
      expect(drawn(1)).toEqual(drawn(1));
      expect(drawn(1)).not.toEqual(drawn(2));
      const factoids = samplePairs(db, { limit: 50, qaType: 'factoid' });
      expect(factoids).toHaveLength(10);
      expect(samplePairs(db, { limit: 50, agent: 's3' }).map((it) => it.sessionId)).toEqual(['s3']);
      expect(samplePairs(db, { limit: 50, sessionId: 's3', qaType: 'factoid' })).toEqual([]);
    });
  });

  it('leaves out superseded pairs and duplicates', async () => {
    const first = message('s');
    const none = { ...first, segments: [segmentOf(first.trajectory, { outcome: 'no_structure' })], pairs: [] };
    await withDataset([first, { ...none, compiledAt: '2026-03-09T00:00:00Z' }], (db) => {
      expect(samplePairs(db, { limit: 5 })).toEqual([]);
      expect(renderSample([], plain)).toBe('no pairs match\n');
    });
    await withDataset([first, message('t')], (db) => {
      const writer = new Database(db.name);
      writer.exec("UPDATE qa_pairs SET duplicate_of = 'another' WHERE session_id = 't'");
      writer.close();
      expect(samplePairs(db, { limit: 5 }).map(({ sessionId }) => sessionId)).toEqual(['s']);
      const all = samplePairs(db, { limit: 5, duplicates: true });
      expect(all.map(({ sessionId }) => sessionId).sort()).toEqual(['s', 't']);
      expect(renderSample(all, plain)).toContain('proved · duplicate · session t');
    });
  });

  it('takes what an export takes: proved and passed pairs, unverified ones where there are no such', async () => {
    const judged = (status: QaPair['verification']['status']) =>
      message(status, { verification: { status, reason: null } });
    const drawn = (db: SqliteDatabase) => {
      const { pairs, verified } = sampleExported(db, { limit: 9 });
      return [verified, pairs.map(({ verification }) => verification).sort()];
    };
    await withDataset((['proved', 'pass', 'fail', 'held', 'error', 'unverified'] as const).map(judged), (db) =>
      expect(drawn(db)).toEqual([true, ['pass', 'proved']]),
    );
    await withDataset((['fail', 'held', 'unverified'] as const).map(judged), (db) =>
      expect(drawn(db)).toEqual([false, ['unverified']]),
    );
  });

  it('is shown with each supporting turn by its number and tool, round the quote', () => {
    const filler = 'nothing of interest happened here. '.repeat(60);
    const response = JSON.stringify({ note: `${filler}The "R-77" parcel\nweighs 1.10 kg${filler}` });
    return withDataset([message('s', quoting('"R-77" parcel weighs 1.10 kg'), [{}, {}, { response }])], (db) => {
      const text = renderSample(samplePairs(db, { limit: 1 }), plain);
      expect(text).toContain('temporal · proved · session s');
      expect(text).toContain('#002');
      expect(text).toContain('#005');
      const words = text.replace(/[│\s]+/g, ' ');
      expect(words).toMatch(/…[^…]*"R-77" parcel weighs 1\.10 kg[^…]*…/);
      expect(text.split('\n').length).toBeLessThan(40);
      for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    });
  });

  it('shows a quote by itself where the row reads differently', () =>
    withDataset([message('s', quoting('stood in a rendering only'))], (db) => {
      expect(renderSample(samplePairs(db, { limit: 1 }), plain)).toContain('“stood in a rendering only”');
    }));

  it('names the agent of a turn where it is another than the pair names, and repeats no quote of the call', () => {
    const turns = [{}, {}, { agent: 'caller', tool: 'dial' }];
    return withDataset([message('s', quoting('caller dial'), turns)], (db) => {
      const text = renderSample(samplePairs(db, { limit: 1 }), plain);
      expect(text).toContain('#002 dial');
      expect(text.match(/by caller/g)).toHaveLength(1);
      expect(text).not.toContain('by inbox-triage');
      expect(text).not.toContain('“caller dial”');
    });
  });

  it('keeps escapes in row text from the terminal, with colours of its own only where asked', () => {
    const hostile = message('s', { answer: 'a\u001b]0;owned\u0007b\u202eevil' }, [
      {},
      {},
      { response: '\u001b[2J\u009b31m' },
    ]);
    return withDataset([hostile], (db) => {
      const pairs = samplePairs(db, { limit: 1 });
      for (const mark of [...hostileMarks, '\u001b']) expect(renderSample(pairs, plain)).not.toContain(mark);
      const coloured = renderSample(pairs, terminalOf({ isTTY: true, columns: 80 }, undefined));
      expect(coloured).toContain('\u001b[1mQuestion\u001b[22m');
      for (const mark of hostileMarks) expect(coloured).not.toContain(mark);
    });
  });

  it('is not coloured for a file, nor for who declines colour', () => {
    expect(terminalOf({ isTTY: true }, undefined).colour).toBe(true);
    expect(terminalOf({ isTTY: true }, '1').colour).toBe(false);
    expect(terminalOf({}, undefined).colour).toBe(false);
  });
});
