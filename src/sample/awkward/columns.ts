import type { CommonRecord } from '../types.js';
import type { AwkwardCase } from './types.js';

const urls: readonly (readonly [string, string])[] = [
  ['a url with a query', 'https://files.example.org/a/photo.jpg?w=1200&fit=crop.png'],
  ['a url with a fragment', 'https://files.example.org/a/photo.png#top.svg'],
  ['a url with query and fragment', 'https://files.example.org/a/photo.gif?x=1.2#y.z'],
  ['a url that is a bare host', 'https://bare.example.org'],
  ['a url that is a host and a slash', 'https://bare.example.org/'],
  ['a url without extension', 'https://files.example.org/a/photo'],
  ['a url with a dot in a folder only', 'https://files.example.org/v1.2/photo'],
  ['a url that ends with a dot', 'https://files.example.org/a/photo.'],
  ['a url with an upper-case extension', 'https://files.example.org/a/PHOTO.JPG'],
  ['a url with two extensions', 'https://files.example.org/a/photo.tar.gz'],
  ['a url that ends with a slash', 'https://files.example.org/a/photo.jpg/'],
  ['a url without scheme', 'files.example.org/without/scheme.jpg'],
  ['a url with spaces, quotes and other writings', `https://files.example.org/it's "a" файл 猫.jpg`],
  ['a url with percent signs', 'https://files.example.org/a%20b%2Fc.jpg?d=%00'],
  ['a url of 1,500 characters', `https://files.example.org/${'long/'.repeat(293)}photo.jpg`],
  [
    'a url that differs from another in case only',
    'HTTPS://FILES.EXAMPLE.ORG/a/photo.jpg?w=1200&fit=crop.png',
  ],
  ['an empty url', ''],
];

const titles: readonly (readonly [string, string | null])[] = [
  ['no title', null],
  ['an empty title', ''],
  ['a title of spaces', '   '],
  ['a title from right to left', 'مكتبة الإسكندرية – ספרייה'],
  ['a title in Chinese', '清明上河圖'],
  ['a title with emoji', 'Sunset 🌅 family 👨‍👩‍👧‍👦 flag 🏴󠁧󠁢󠁳󠁣󠁴󠁿'],
  ['a title with combining marks', 'Cafe\u0301 Zu\u0308rich a\u0300\u0301\u0302'],
  ['a title with a tab, a newline and a carriage return', 'first\tsecond\nthird\r\nfourth'],
  ['a title with quotes', `O'Brien's "best" \`shot\` $1 $$ %s {0} {{x}}`],
  ['a title with backslashes', 'C:\\new\\table \\N \\. \\x41 \\'],
  ['a title that is the sign for null', '\\N'],
  ['a title that ends a COPY', '\\.'],
  ['a title with an escape of the character zero', 'zero \\u0000 \\0 \\x00 end'],
  ['a title with control characters', '\u0001\u0008\u000b\u000c\u001b\u007f\u0085'],
  ['a title with line separators and a byte order mark', '\ufeffa\u2028b\u2029c\u200bd\ufffd'],
  ['a title that is SQL', `'; drop table image; --`],
  ['a title that is JSON', '{"title": null}'],
  ['a title with markup', '<em>Vase</em> &ndash; 1910&#8211;1925'],
  ['a title of 5,000 characters', 'word '.repeat(1_000)],
  ['a title that many records have', 'Untitled'],
  ['a title that many records have, again', 'Untitled'],
];

const dates: readonly (readonly [string, Partial<CommonRecord>])[] = [
  ['created at infinity', { created_on: 'infinity' }],
  ['created at minus infinity', { created_on: '-infinity' }],
  ['created before Christ', { created_on: '0044-03-15 12:00:00+00 BC' }],
  ['created in the year 1', { created_on: '0001-01-01 00:00:00+00' }],
  ['created after the year 9999', { created_on: '12345-06-07 08:09:10+00' }],
  ['created in 1970', { created_on: '1970-01-01 00:00:00+00' }],
  ['created with microseconds', { created_on: '2020-02-29 23:59:59.999999+00' }],
  ['created with another offset', { created_on: '2021-06-01 00:00:00+05:45' }],
  ['updated at infinity', { updated_on: 'infinity' }],
  ['never synchronised', { last_synced_with_source: null }],
  ['synchronised at minus infinity', { last_synced_with_source: '-infinity' }],
];

const popularities: readonly (number | string | null)[] = [
  ...[null, 0, '-0', -0.25, 1, 1.5, 1e-9, 1e300, 0.1, 0.30000000000000004],
  ...['NaN', 'Infinity', '-Infinity'],
];

const others: readonly (readonly [string, Partial<CommonRecord>])[] = [
  ['an upper-case license', { license: 'CC0', license_version: '1.0' }],
  ['a license in mixed case', { license: 'By-NC-SA', license_version: '4.0' }],
  ['a license without version', { license: 'pdm', license_version: null }],
  ['removed from its source', { removed_from_source: true }],
  ['removed from its source, with awkward tags', { removed_from_source: true, tags: '{"name":"by"}' }],
  ['no provider and no source', { provider: null, source: null }],
  ['a source that differs from its provider', { provider: 'smithsonian', source: 'smithsonian_libraries' }],
  ['a provider in upper case', { provider: 'NYPL', source: 'NYPL' }],
  ['a provider of 80 characters', { provider: 'p'.repeat(80), source: 's'.repeat(80) }],
  ['a provider with a quote', { provider: `o'brien "x"`, source: `o'brien "x"` }],
  ['no foreign_identifier', { foreign_identifier: null }],
  ['no foreign_identifier, again', { foreign_identifier: null }],
  ['an empty foreign_identifier', { foreign_identifier: '' }],
  [
    'the foreign_identifier of a record of another provider',
    { foreign_identifier: 'shared', provider: 'met' },
  ],
  [
    'the foreign_identifier of a record of one more provider',
    { foreign_identifier: 'shared', provider: 'svgsilh' },
  ],
  [
    'a foreign_identifier that is a url',
    { foreign_identifier: 'http://phylopic.example.org/a.original.png' },
  ],
  ['no creator', { creator: null, creator_url: null }],
  ['an empty creator', { creator: '', creator_url: '' }],
  ['a creator in other writings', { creator: 'Σωκράτης Ångström-Đặng نور' }],
  ['no landing page', { foreign_landing_url: null }],
  [
    'a landing page without scheme',
    { foreign_landing_url: 'www.example.org/landing/1', creator_url: 'example.org/x' },
  ],
  ['no thumbnail', { thumbnail: null }],
  ['the smallest file', { filesize: 0 }],
  ['the largest file', { filesize: 2_147_483_647 }],
  ['watermark unknown', { watermarked: null }],
  ['watermarked', { watermarked: true }],
  ['no filetype', { filetype: null }],
  ['a filetype in upper case', { filetype: 'JPEG2' }],
  ['no category', { category: null }],
  ['no ingestion type', { ingestion_type: null }],
  ['the first identifier', { identifier: '00000000-0000-0000-0000-000000000000' }],
  ['the last identifier', { identifier: 'ffffffff-ffff-ffff-ffff-ffffffffffff' }],
];

const cases = (list: readonly (readonly [string, Partial<CommonRecord>])[]) =>
  list.map(([name, change]) => ({ name, change }));

export const awkwardUrls: readonly AwkwardCase<CommonRecord>[] = urls.map(([name, url]) => ({
  name,
  change: { url },
}));

export const awkwardTitles: readonly AwkwardCase<CommonRecord>[] = titles.map(([name, title]) => ({
  name,
  change: { title },
}));

export const awkwardColumns: readonly AwkwardCase<CommonRecord>[] = [
  ...cases(others),
  ...cases(dates),
  ...popularities.map((standardized_popularity) => ({
    name: `popularity is ${standardized_popularity}`,
    change: { standardized_popularity },
  })),
];
