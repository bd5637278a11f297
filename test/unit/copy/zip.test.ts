import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { zeroCounts, type RowCounts } from '../../../src/copy/counts.js';
import { SentRows } from '../../../src/copy/sentRows.js';
import { zipRows } from '../../../src/copy/zip.js';

async function* chunksOf(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

interface Zipped {
  readonly lines: string[];
  readonly counts: RowCounts;
  readonly sent: SentRows;
}

async function zip(rows: string[], joined: string[], chunkBytes = 7, narrowCount = 1): Promise<Zipped> {
  const counts = zeroCounts();
  const sent = new SentRows(2, narrowCount);
  const join = (lines: string[]): string => lines.map((line) => `${line}\n`).join('');
  const zipped = zipRows(chunksOf(join(rows), chunkBytes), chunksOf(join(joined), chunkBytes + 4), {
    table: 'thing',
    narrowCount,
    firstNewId: 100n,
    rewrite: (line) => (line.includes('out') ? null : line),
    counts,
    sent,
    onBatch: () => undefined,
  });
  let text = '';
  for await (const chunk of zipped) text += chunk.toString();
  return { lines: text.split('\n').slice(0, -1), counts, sent };
}

describe('zipRows', () => {
  test('known records keep their ids, new ones count up, deleted ones and those left out take none', async () => {
    const rows = ['a\t1', 'b\t2', 'c\t3', 'd\tout', 'e\t5'];
    const joined = ['a\tf\t7\t9', 'b\tf\t\\N\t0', 'c\tt\t8\t1', 'd\tf\t\\N\t0', 'e\tf\t\\N\t0'];
    const { lines, counts, sent } = await zip(rows, joined);
    expect(lines).toEqual(['7\t9\ta\t1', '100\t0\tb\t2', '101\t0\te\t5']);
    expect(counts).toMatchObject({
      read: 5,
      copied: 3,
      idsKept: 1,
      idsNew: 2,
      leftOutDeleted: 1,
      leftOutByTransform: 1,
    });
    expect(counts.bytes).toBe(lines.join('\n').length + 1);
    expect([1, 2, 3, 4].map((row) => sent.keyOf(row))).toEqual(['a', 'b', 'e', null]);
  });

  test('gives the same whatever the chunks are', async () => {
    const line = fc.tuple(fc.stringMatching(/^[a-zé\u{1f600}]{0,12}$/u), fc.option(fc.nat()));
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 30 }),
        fc.integer({ min: 1, max: 200 }),
        async (list, size) => {
          const rows = list.map(([key], i) => `${key}${i}\tvalue`);
          const joined = list.map(([key, id], i) => `${key}${i}\tf\t${id ?? '\\N'}\t0`);
          let next = 100;
          const expected = list.map(([key, id], i) => `${id ?? next++}\t0\t${key}${i}\tvalue`);
          expect((await zip(rows, joined, size)).lines).toEqual(expected);
        },
      ),
    );
  });

  test.each<[string, string[], string[]]>([
    ['another order', ['a\t1', 'b\t2'], ['b\tf\t1\t0', 'a\tf\t2\t0']],
    ['fewer keys', ['a\t1', 'b\t2'], ['a\tf\t1\t0']],
    ['more keys', ['a\t1'], ['a\tf\t1\t0', 'b\tf\t2\t0']],
    ['a key that begins alike', ['ab\t1'], ['a\tf\t1\t0']],
    ['a key that goes on', ['a\t1'], ['ab\tf\t1\t0']],
    ['no rows', [], ['a\tf\t1\t0']],
  ])('scans that do not agree are found: %s', async (_, rows, joined) => {
    await expect(zip(rows, joined)).rejects.toMatchObject({ code: 'SCAN_ORDER_CHANGED' });
  });

  test('rows of nothing but key columns agree', async () => {
    expect((await zip(['a\tb'], ['a\tb\tf\t\\N'], 7, 2)).lines).toEqual(['100\ta\tb']);
  });
});
