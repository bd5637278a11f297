import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CopyLineSplitter,
  copyLines,
  decodeField,
  decodeFields,
  encodeField,
  fieldBounds,
} from '../../../src/postgres/copyText.js';

const awkwardText = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      '\\',
      '\t',
      '\n',
      '\r',
      '\b',
      '\f',
      '\v',
      'N',
      'x',
      '0',
      '7',
      '.',
      '"',
      '\u00e9',
      '\u{1f600}',
    ),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter((text) => !text.includes('\0')),
  ),
});
const row = fc.array(fc.option(awkwardText), { minLength: 1, maxLength: 8 });

function encodeRow(fields: readonly (string | null)[]): Buffer {
  return Buffer.from(`${fields.map(encodeField).join('\t')}\n`);
}

/** Cuts `bytes` at the given positions, anywhere: also inside a character or an escape. */
function cut(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const ends = [...positions.map((at) => at % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : (ends[i - 1] ?? 0), end));
}

async function* streamOf(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield await Promise.resolve(chunk);
}

describe('COPY text', () => {
  test('every row comes back as it was, wherever the stream is cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(row), fc.array(fc.nat()), async (rows, positions) => {
        const chunks = cut(Buffer.concat(rows.map(encodeRow)), positions);
        const decoded: (string | null)[][] = [];
        for await (const lines of copyLines(streamOf(chunks)))
          for (const line of lines) decoded.push(decodeFields(line));
        expect(decoded).toEqual(rows);
      }),
    );
  });

  test('fields read one by one are the fields read at once', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const line = Buffer.from(Buffer.from(bytes).filter((byte) => byte !== 0x0a));
        const bounds = fieldBounds(line);
        const single = bounds
          .slice(0, -1)
          .map((start, i) => decodeField(line, start, (bounds[i + 1] as number) - 1));
        expect(single).toHaveLength(bounds.length - 1);
        if (line.every((byte) => byte < 0x80)) expect(decodeFields(line)).toEqual(single);
      }),
    );
  });

  test('lines joined with newlines are the stream, byte for byte', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (pieces) => {
        const splitter = new CopyLineSplitter();
        const lines = pieces.flatMap((piece) => splitter.push(Buffer.from(piece)));
        const whole = Buffer.concat([
          ...lines.flatMap((line) => [line, Buffer.from('\n')]),
          splitter.end() ?? Buffer.alloc(0),
        ]);
        expect(whole.equals(Buffer.concat(pieces.map((piece) => Buffer.from(piece))))).toBe(true);
      }),
    );
  });

  test.each([
    ['\\N', null],
    ['', ''],
    ['\\\\N', '\\N'],
    ['\\.', '.'],
    ['\\101\\x42', 'AB'],
    ['\\xc3\\xa9', 'é'],
    ['\\303\\251', 'é'],
    ['\\q', 'q'],
    ['é\\tü', 'é\tü'],
    ['{"a": "\\\\"b\\\\""}', '{"a": "\\"b\\""}'],
  ])('the field %j means %j', (field, text) => {
    const line = Buffer.from(field);
    expect(decodeField(line, 0, line.length)).toBe(text);
    expect(decodeFields(line)).toEqual([text]);
  });
});
