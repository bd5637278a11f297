import type { CommonRecord } from '../types.js';
import type { AwkwardCase } from './types.js';

const tag = (name: string, rest = '') => `{"name":${JSON.stringify(name)}${rest}}`;
const list = (...tags: string[]) => `[${tags.join(',')}]`;
const accuracy = (text: string) => `,"accuracy":${text}`;

/** `tags` that are no list of objects with names. JSON text. */
const malformed: readonly (readonly [string, string | null])[] = [
  ['no tags', null],
  ['tags are the JSON value null', 'null'],
  ['an empty list of tags', '[]'],
  ['tags are an object instead of a list', tag('cat')],
  ['tags are a text', '"cat"'],
  ['tags are a number', '5'],
  ['tags with texts among them', list('"cat"', tag('dog'), '"bird"')],
  [
    'tags with null, numbers, booleans and lists among them',
    list('null', '7', 'true', '["cat"]', tag('dog')),
  ],
  ['a tag without name', list('{"provider":"flickr"}', tag('dog'))],
  ['a tag whose name is null', list('{"name":null}', tag('dog'))],
  ['a tag whose name is a number', list('{"name":42}', tag('dog'))],
  ['a tag whose name is an object', list('{"name":{"en":"cat"}}', tag('dog'))],
  ['a tag with an empty name', list(tag(''), tag('dog'))],
  ['an empty object as tag', list('{}', tag('dog'))],
];

/** Each stands beside a tag `kept`. */
const accuracies: readonly string[] = [
  '0.9',
  '0.90',
  '0.8999',
  '0.89999999999999999999',
  '0.900000000000000000001',
  '0.95',
  '1',
  '1.0',
  '9e-1',
  '0',
  '-1',
  '12345678901234567890.5',
  'null',
  'true',
  '{}',
  '"0.95"',
  '"0.9"',
  '"0.90"',
  '"0.5"',
  '" 0.95 "',
  '"high"',
  '""',
  '"nan"',
  '"inf"',
  '"1_0"',
];

const deniedNames: readonly string[] = [
  'no person',
  'No Person',
  'squareformat',
  'uploaded:by=flickrmobile',
  'uploaded:by=instagram',
  'flickriosapp:filter=flamingo',
  'by',
  'BY',
  ' by',
  'by ',
  'FlickrIOSApp:filter=NoFilter',
  'was uploaded yesterday',
  'geo:lat=52.1',
  'a=b',
  'cc0',
  ' cc0',
  'CC0 licensed',
  'by-nc',
  'by-nd',
  'by-sa',
  'by-nc-nd',
  'by-nc-sa',
  'pdm',
  'standby',
];

const longList = Array.from({ length: 400 }, (_, at) => tag(`tag number ${at}`));

const whole: readonly (readonly [string, string])[] = [
  ['all tags are dropped', list(tag('by'), tag('cat', accuracy('0.1')), '{"provider":"x"}')],
  ['one tag, and it is dropped', list(tag('cc0'))],
  [
    'a tag of rekognition',
    list(tag('cat', ',"provider":"rekognition"'), tag('dog', ',"provider":"Rekognition"')),
  ],
  [
    'kept tags keep their order and keys beside dropped ones',
    list(
      tag('first', `${accuracy('0.90')},"provider":"clarifai","extra":{"b":[1,2.50],"a":null}`),
      tag('by'),
      tag('last', ',"big":12345678901234567890,"small":1.10,"provider":"clarifai"'),
    ),
  ],
  ['the same tag twice', list(tag('cat'), tag('cat'), tag('CAT'))],
  [
    'tags in other writings',
    list(tag('猫'), tag('قطة'), tag('חתול'), tag('кошка'), tag('🐈‍⬛'), tag('e\u0301te\u0301')),
  ],
  ['tags with quotes, backslashes, tabs and newlines', list(tag(`it's "quoted" \\ \t \n`), tag('\\u0000'))],
  ['four hundred tags', list(...longList)],
  ['four hundred tags and one that is dropped', list(...longList, tag('cc0'))],
  ['a very long tag', list(tag('long '.repeat(800).trim()))],
];

export const awkwardTags: readonly AwkwardCase<CommonRecord>[] = [
  ...malformed.map(([name, tags]) => ({ name, change: { tags } })),
  ...accuracies.map((text) => ({
    name: `a tag whose accuracy is ${text}`,
    change: { tags: list(tag('doubtful', accuracy(text)), tag('kept')) },
  })),
  ...deniedNames.map((name) => ({
    name: `a tag named ${JSON.stringify(name)}`,
    change: { tags: list(tag('kept'), tag(name)) },
  })),
  ...whole.map(([name, tags]) => ({ name, change: { tags } })),
];
