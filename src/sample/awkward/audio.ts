import type { AudioRecord } from '../types.js';
import type { AwkwardCase } from './types.js';

/** Milliseconds around the borders of the classes of length. */
const durations: readonly (number | null)[] = [
  ...[null, 0, 1, 29_999, 30_000, 119_999, 120_000, 599_999, 600_000, 86_400_000, 2_147_483_647, -1],
];

const altFiles: readonly (readonly [string, string | null])[] = [
  ['no alternative files', null],
  ['alternative files are the JSON value null', 'null'],
  ['an empty list of alternative files', '[]'],
  [
    'alternative files of two types',
    '[{"filetype":"mp3","url":"https://a.example.org/1.mp3"},{"filetype":"ogg"}]',
  ],
  ['alternative files of the same type', '[{"filetype":"mp3"},{"filetype":"mp3"}]'],
  ['an alternative file without type', '[{"url":"https://a.example.org/2.ogg"}]'],
  ['an alternative file whose type is null', '[{"filetype":null},{"filetype":"flac"}]'],
  ['an alternative file whose type is a number', '[{"filetype":3}]'],
  ['alternative files are an object', '{"filetype":"mp3"}'],
  ['alternative files are texts', '["mp3","ogg"]'],
];

/** Postgres' text of a varchar(80)[]. */
const genres: readonly (readonly [string, string | null])[] = [
  ['no genres', null],
  ['an empty list of genres', '{}'],
  ['a genre that is null', '{rock,NULL}'],
  ['a genre that is the word null', '{"NULL"}'],
  ['genres with commas, quotes, backslashes and braces', '{"a,b","say \\"hi\\"","c\\\\d","{e}"," f "}'],
  ['genres in other writings', '{"古琴","קלעזמער","фолк 🎻"}'],
  ['an empty genre', '{""}'],
];

const technical: readonly (readonly [string, Partial<AudioRecord>])[] = [
  ['no bit rate and no sample rate', { bit_rate: null, sample_rate: null }],
  ['a bit rate of 0', { bit_rate: 0, sample_rate: 0 }],
  ['an audio without filetype and alternative files', { filetype: null, alt_files: null }],
];

interface SetVersion {
  readonly name: string;
  readonly provider?: string;
  readonly updatedOn: string;
  readonly title: string;
  /** JSON text of the number of bytes. */
  readonly filesize?: string;
}

/** One set, told differently by its audios: the newest tells what is right. The same foreign identifier under another provider is another set. */
const setVersions: readonly SetVersion[] = [
  { name: 'the oldest audio of a set', updatedOn: '2019-01-01 00:00:00+00', title: 'Outdated title' },
  {
    name: 'the newest audio of a set',
    updatedOn: '2023-05-05 05:05:05.000002+00',
    title: 'Newest "title" 🎵',
  },
  {
    name: 'an audio a microsecond older',
    updatedOn: '2023-05-05 05:05:05.000001+00',
    title: 'Almost newest',
  },
  {
    name: 'another old audio of a set',
    updatedOn: '2020-01-01 00:00:00+00',
    title: 'Older',
    filesize: '"77"',
  },
  {
    name: 'a set of another provider with the same foreign identifier',
    provider: 'ccmixter',
    updatedOn: '2022-01-01 00:00:00+00',
    title: 'Another set',
    filesize: '"4096"',
  },
];

function setCase(version: SetVersion, at: number): AwkwardCase<AudioRecord> {
  const provider = version.provider ?? 'jamendo';
  const url = `https://${provider}.example.org/sets/awkward.zip`;
  return {
    name: version.name,
    change: {
      provider,
      source: provider,
      updated_on: version.updatedOn,
      set_position: at,
      audio_set_foreign_identifier: 'awkward',
      audio_set: `{"foreign_identifier":"awkward","title":${JSON.stringify(version.title)},"url":"${url}","filesize":${version.filesize ?? 'null'}}`,
    },
  };
}

const setCases: readonly AwkwardCase<AudioRecord>[] = [
  ...setVersions.map(setCase),
  {
    name: 'no set',
    change: { audio_set: null, audio_set_foreign_identifier: null, set_position: null },
  },
  {
    name: 'a set with a foreign identifier alone',
    change: {
      ...{ provider: 'jamendo', source: 'jamendo', set_position: 0, audio_set: '{}' },
      audio_set_foreign_identifier: 'bare set',
    },
  },
];

export const awkwardAudio: readonly AwkwardCase<AudioRecord>[] = [
  ...setCases,
  ...durations.map((duration) => ({ name: `duration ${duration}`, change: { duration } })),
  ...altFiles.map(([name, alt_files]) => ({ name, change: { alt_files } })),
  ...genres.map(([name, text]) => ({ name, change: { genres: text } })),
  ...technical.map(([name, change]) => ({ name, change })),
];
