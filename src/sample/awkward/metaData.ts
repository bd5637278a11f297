import type { CommonRecord } from '../types.js';
import type { AwkwardCase } from './types.js';

const description = (text: string) => JSON.stringify({ description: text });
/** 2,500 code points, more UTF-16 units; an emoji is the 2,000th. */
const longDescription = `${'a'.repeat(1_999)}🦉${'é🎨'.repeat(250)}`;

const descriptions: readonly (readonly [string, string])[] = [
  ['a description that is a number', '{"description":42}'],
  ['a description that is null', '{"description":null}'],
  ['a description that is an object', '{"description":{"en":"A cat"}}'],
  ['a description that is a list', '{"description":["A cat"]}'],
  ['an empty description', '{"description":""}'],
  ['a description of more than 2,000 code points with emoji', description(longDescription)],
  ['a description of exactly 2,000 code points', description('🦉'.repeat(2_000))],
  ['a description with markup', description('<b>Bold</b> &amp; <script>alert(1)</script>')],
  ['a description with quotes, backslashes, tabs and newlines', description('"a" \\ \t \n \\u0000 end')],
];

const boosts: readonly string[] = [
  ...['42', '17.5', '0', '-5', '250', '1e2', '0.001'],
  ...[
    '"42"',
    '"17.5"',
    '" 42 "',
    '"-5"',
    '"1e2"',
    '"inf"',
    '"-inf"',
    '"nan"',
    '"1_0"',
    '""',
    '"high"',
    '"0x10"',
  ],
  ...['true', 'false', 'null', '[]', '{}', '12345678901234567890123'],
];

const maturities: readonly string[] = [
  'true',
  'false',
  '"true"',
  '"false"',
  '"TRUE"',
  '"yes"',
  '1',
  '0',
  'null',
  '[]',
];

const whole: readonly (readonly [string, string | null])[] = [
  ['no meta_data', null],
  ['meta_data is the JSON value null', 'null'],
  ['meta_data is a list', '[]'],
  ['meta_data is a list of objects', '[{"description":"not this one"}]'],
  ['meta_data is a text', '"text"'],
  ['meta_data is a number', '7'],
  ['meta_data is a boolean', 'true'],
  ['meta_data is an empty object', '{}'],
  [
    'meta_data with an empty key and a key named __proto__',
    '{"":1,"__proto__":{"mature":true},"constructor":2}',
  ],
  [
    'meta_data with numbers that lose digits',
    '{"views":12345678901234567890.1230,"tiny":1e-300,"rate":0.10}',
  ],
  ['meta_data nested twenty levels deep', `${'{"a":'.repeat(20)}1${'}'.repeat(20)}`],
];

export const awkwardMetaData: readonly AwkwardCase<CommonRecord>[] = [
  ...whole.map(([name, meta_data]) => ({ name, change: { meta_data } })),
  ...descriptions.map(([name, meta_data]) => ({ name, change: { meta_data } })),
  ...maturities.map((value) => ({
    name: `mature is ${value}`,
    change: { meta_data: `{"mature":${value}}` },
  })),
];

/** With a provider of the table of boosts: the key decides, even when it holds no number. */
export const awkwardBoosts: readonly AwkwardCase<CommonRecord>[] = boosts.map((value) => ({
  name: `authority_boost is ${value}`,
  change: { provider: 'flickr', source: 'flickr', meta_data: `{"authority_boost":${value}}` },
}));
