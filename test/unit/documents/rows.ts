import type { RowFacts, SourceRow } from '../../../src/documents/types.js';

export const notSensitive: RowFacts = { sensitive: false };
export const sensitive: RowFacts = { sensitive: true };

const mediaRow: SourceRow = {
  id: 7,
  identifier: '0b7a1c2e-8f0e-4d6a-9d7b-1f2e3d4c5b6a',
  created_on: '2024-03-28T00:00:00+00:00',
  provider: 'unlisted',
  source: 'museum',
  category: 'photograph',
  title: 'A river',
  creator: 'Nobody',
  url: 'https://a.org/river.jpg',
  license: 'BY-SA',
  meta_data: null,
  tags: null,
  standardized_popularity: null,
};

/** A plain image row; `changes` replaces columns. */
export function imageRow(changes: SourceRow = {}): SourceRow {
  return { ...mediaRow, width: 640, height: 480, ...changes };
}

/** A plain audio row; `changes` replaces columns. */
export function audioRow(changes: SourceRow = {}): SourceRow {
  return { ...mediaRow, duration: 1_000, filetype: 'mp3', alt_files: null, ...changes };
}
