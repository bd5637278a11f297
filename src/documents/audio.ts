import { buildMediaDocument, mediaColumns } from './media.js';
import type { DocumentDefinition, SourceRow } from './types.js';
import { addField, jsonValue } from './values.js';

/** Upper ends (exclusive, ms) of the lengths. */
const lengths: readonly (readonly [string, number])[] = [
  ['shortest', 30_000],
  ['short', 120_000],
  ['medium', 600_000],
];

/** How a row of Openverse's `audio` table becomes a document. */
export const audioDocument: DocumentDefinition = {
  version: 'audio-1',
  columns: [...mediaColumns, 'duration', 'filetype', 'alt_files'],
  build: (row, facts) => {
    const document = buildMediaDocument(row, facts);
    addField(document, 'length', lengthOf(row['duration']));
    addField(document, 'filetype', row['filetype']);
    addField(document, 'extension', extensionOf(row));
    return document;
  },
};

function lengthOf(durationMs: unknown): string | undefined {
  if (typeof durationMs !== 'number' || durationMs === 0) return undefined;
  return lengths.find(([, endMs]) => durationMs < endMs)?.[0] ?? 'long';
}

/** The file types of all alternative files, else the file's own. */
function extensionOf(row: SourceRow): unknown {
  const altFiles = row['alt_files'];
  if (!Array.isArray(altFiles)) return row['filetype'];
  const fileTypes = altFiles
    .map((file) => jsonValue(file, 'filetype'))
    .filter((fileType) => typeof fileType === 'string');
  return fileTypes.length > 0 ? fileTypes : row['filetype'];
}
