import { sampleChunkBytes } from '../limits.js';
import { encodeField } from '../postgres/copyText.js';
import { awkwardAudioCases, awkwardImageCases } from './awkward/cases.js';
import { applyCase } from './awkward/types.js';
import { makeAudio, makeImage } from './records.js';
import { replaceRecords } from './replaceRecords.js';
import type {
  AudioRecord,
  ColumnText,
  CommonRecord,
  ImageRecord,
  LoadedSample,
  SampleMedia,
} from './types.js';

export interface FillProgress {
  readonly rows: number;
  readonly expected: number;
}

export interface FillOptions {
  readonly catalogUrl: string;
  readonly media: SampleMedia;
  readonly records: number;
  /** The same seed makes the same records, and the first n of them whatever their number is. */
  readonly seed: number;
  readonly onProgress?: (progress: FillProgress) => void;
}

const commonColumns = [
  ...['identifier', 'created_on', 'updated_on', 'ingestion_type', 'provider', 'source', 'foreign_identifier'],
  ...['foreign_landing_url', 'url', 'thumbnail', 'filesize', 'license', 'license_version', 'creator'],
  ...['creator_url', 'title', 'meta_data', 'tags', 'watermarked', 'last_synced_with_source'],
  ...['removed_from_source', 'filetype', 'category', 'standardized_popularity'],
] as (keyof CommonRecord)[];

const columnsOf = {
  image: [...commonColumns, 'width', 'height'] as (keyof ImageRecord)[],
  audio: [
    ...commonColumns,
    ...['duration', 'bit_rate', 'sample_rate', 'genres', 'audio_set', 'set_position', 'alt_files'],
    'audio_set_foreign_identifier',
  ] as (keyof AudioRecord)[],
};

/**
 * Fills the catalog's table of `media` with seeded, realistic records; the first few hundred are awkward ones, of every kind that the guide
 * names. Replaces an earlier sample in one transaction; memory does not grow with `records`. Throws SAMPLE_REFUSED.
 */
export async function fillCatalog(options: FillOptions): Promise<LoadedSample> {
  const { catalogUrl, media, seed } = options;
  return replaceRecords(
    {
      media,
      catalogUrl,
      format: 'format text',
      columns: columnsOf[media],
      indexesAfterwards: true,
      origin: () => `seed ${seed}`,
    },
    makeLines(options),
  );
}

/** One record of a sample as it is loaded, awkward or ordinary. */
export function makeRecord(media: SampleMedia, seed: number, index: number): ImageRecord | AudioRecord {
  return media === 'image'
    ? applyCase(makeImage(seed, index), awkwardImageCases[index])
    : makeAudioCase(seed, index);
}

/** A set belongs to a provider: a case that changes the provider alone takes the record out of the ordinary record's set. */
function makeAudioCase(seed: number, index: number): AudioRecord {
  const ordinary = makeAudio(seed, index);
  const record = applyCase(ordinary, awkwardAudioCases[index]);
  if (record.provider === ordinary.provider || record.audio_set !== ordinary.audio_set) return record;
  return { ...record, audio_set: null, set_position: null, audio_set_foreign_identifier: null };
}

/** The records as COPY text, in chunks. Async, so that the connection gets its turn between them. */
async function* makeLines(options: FillOptions): AsyncGenerator<Buffer> {
  const { media, records, seed, onProgress } = options;
  const columns = columnsOf[media] as string[];
  let lines = '';
  for (let index = 0; index < records; index += 1) {
    lines += encodeLine(makeRecord(media, seed, index) as unknown as Record<string, ColumnText>, columns);
    if (lines.length < sampleChunkBytes && index < records - 1) continue;
    yield await Promise.resolve(Buffer.from(lines));
    onProgress?.({ rows: index + 1, expected: records });
    lines = '';
  }
}

/** Most values need no escapes: looking first is twice as fast as replacing in every one. */
const needsEscape = /[\\\b\f\n\r\t\v]/;

function encodeLine(record: Record<string, ColumnText>, columns: readonly string[]): string {
  const fields = columns.map((column) => {
    const value = record[column];
    if (value == null) return '\\N';
    return typeof value === 'string' && needsEscape.test(value) ? encodeField(value) : value;
  });
  return `${fields.join('\t')}\n`;
}
